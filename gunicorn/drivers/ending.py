"""How a process is told to end at once, whatever the application is doing."""

from __future__ import annotations


class QuickStop(SystemExit):
    """Raised by a signal handler: the process ends now. Nobody but the worker may catch it."""
