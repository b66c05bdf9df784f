"""Loggers that also count: `gunicorn.instrument.statsd`."""
