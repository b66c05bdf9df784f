"""A pre-fork application server for Python: WSGI, ASGI and what operators need around them."""

from __future__ import annotations

version_info = (30, 0, 0)
__version__ = ".".join(map(str, version_info))
SERVER = "gunicorn"
SERVER_SOFTWARE = f"{SERVER}/{__version__}"
