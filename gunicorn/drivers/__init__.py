"""Drivers wait: they move bytes between a socket and a machine and own the timeouts."""
