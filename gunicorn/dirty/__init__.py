"""The pool for heavy work: applications that live in processes of their own and are called from any request."""

from gunicorn.dirty.app import DirtyApp

__all__ = ["DirtyApp"]
