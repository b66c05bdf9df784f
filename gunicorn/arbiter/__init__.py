"""The server process: listeners, the pool of workers and the signals, put together."""

from gunicorn.arbiter.server import Arbiter

__all__ = ["Arbiter"]
