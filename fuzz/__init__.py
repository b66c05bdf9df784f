"""Fuzz targets: run bounded in CI, without end by whoever has the patience."""
