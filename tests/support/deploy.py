"""An application on disk whose source is replaced while a server runs it: what a deployment does.

Knows how to write modules that answer "<version> <pid>", import slowly, or cannot be imported.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.processes import eventually
from tests.support.twins import both

BEFORE = """
import os, time
with open({imports!r}, "a") as file:
    file.write({version!r} + "\\n")
VERSION = {version!r}
time.sleep({boot})
"""
PAGE = 'return f"{VERSION} {os.getpid()}\\n".encode()'


class Deploy:
    """`folder`/deployed.py; serve it as "deployed:app" with `cwd=deploy.folder`."""

    uri = "deployed:app"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "deployed.py"
        self._imports = folder / "imports"
        self.version("v1")

    def version(self, name: str, *, boot: float = 0.0) -> None:
        """A working release that takes `boot` seconds to import."""
        self.page(PAGE, before=BEFORE.format(version=name, boot=boot, imports=str(self._imports)))

    def wait_imports(self, version: str, count: int) -> None:
        """Waits until `count` processes have read that release: from then on a change cannot reach them."""
        eventually(lambda: self._lines().count(version) >= count, f"{count} imports of {version}")

    def _lines(self) -> list[str]:
        return self._imports.read_text().splitlines() if self._imports.exists() else []

    def page(self, page: str, before: str = "") -> None:
        """A release, WSGI and ASGI in one, that answers what the function body `page` returns."""
        self.source(both(page, before))

    def source(self, text: str) -> None:
        """Replaces the module at once, as a deployment tool does."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.path)
