"""The `gunicorn` command: serves the application that the command line or the configuration names.

Knows how an application is named (`module:attribute`, `wsgi_app`, a Paste file). What all sources of
settings say is merged by `Application`, the callable is found by `loader`.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, NoReturn

from gunicorn.app.base import Application
from gunicorn.app.loader import load_app
from gunicorn.errors import AppLoadError, ConfigError


class WSGIApplication(Application):
    """The application named on the command line, by `wsgi_app`, or by `paste`."""

    app_uri: str = ""

    def load_config(self) -> None:
        """Merges all sources. Raises ConfigError when no application is named anywhere."""
        super().load_config()
        if self.loaded is not None:
            self.app_uri = self.loaded.app_uri or self.app_uri
        if not self.app_uri and not self.cfg.paste and self.loaded is not None and self.loaded.mode != "print":
            raise ConfigError("no application is named", hint=f"try: {self.prog} module:application")

    def load(self) -> Any:
        """Imports the application. Raises AppLoadError."""
        if self.app_uri:
            return load_app(self.app_uri)
        return self._load_paste()

    def _load_paste(self) -> Any:
        try:
            deploy = importlib.import_module("paste.deploy")
        except ImportError as problem:
            raise AppLoadError(f"the setting paste needs the package PasteDeploy ({problem})") from None
        path, _, section = str(self.cfg.paste).partition("#")
        variables = {name: value for name, _, value in (text.partition("=") for text in self.cfg.raw_paste_global_conf)}
        return deploy.loadapp(f"config:{os.path.abspath(path)}", name=section or None, global_conf=variables)


def run(prog: str | None = None) -> NoReturn:
    """The `gunicorn` command."""
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]", prog=prog or "gunicorn").run()


if __name__ == "__main__":
    run()
