"""Measures this server beside its peers. `python -m bench.run --help` is the door; not part of the package."""
