"""Bridges speak to applications: WSGI (and later ASGI) on an `Exchange`, never on a socket."""
