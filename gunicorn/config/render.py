"""Placeholder."""

from __future__ import annotations

from gunicorn.config.settings import TABLE, Settings


def help_text(prog: str) -> str:
    """The page of `--help`."""
    return prog + "\n"


def print_config(settings: Settings, *, sources: bool = False) -> str:  # noqa: ARG001
    """The page of `--print-config`."""
    return "\n".join(f"{name} = {getattr(settings, name)!r}" for name in sorted(TABLE)) + "\n"
