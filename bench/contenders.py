"""The servers that are measured, as data: which package, which version, which command line.

Each package lives in a virtual environment of its own under .cache/bench, made on first use. Ours is
installed there from a copy of the checkout, as a user would have it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
APPS = ROOT / "bench" / "apps"
OURS = "ours"


@dataclass(frozen=True)
class Contender:
    """A server and how it is started. `arguments` follow `python -m`; {app} and {port} are filled in."""

    name: str
    package: str
    arguments: str

    def command(self, app: str, port: int) -> list[str]:
        filled = self.arguments.format(app=app, port=port)
        return [str(python_of(self.package)), "-m", *filled.split()]


PACKAGES = {
    OURS: "",
    "gunicorn": "gunicorn",
    "waitress": "waitress",
    "granian": "granian",
}
"""Environment -> what pip installs there; newest version. Flask comes with every one."""

_WSGI = "-b 127.0.0.1:{port} -w 1 --log-level warning"

CONTENDERS = {
    one.name: one
    for one in (
        Contender("ours sync", OURS, f"gunicorn -k sync {_WSGI} {{app}}"),
        Contender("ours gthread", OURS, f"gunicorn -k gthread --threads 4 {_WSGI} {{app}}"),
        Contender("ours preload", OURS, "gunicorn -b 127.0.0.1:{port} -w 4 --preload --log-level warning {app}"),
        Contender("gunicorn sync", "gunicorn", f"gunicorn -k sync {_WSGI} {{app}}"),
        Contender("gunicorn gthread", "gunicorn", f"gunicorn -k gthread --threads 4 {_WSGI} {{app}}"),
        Contender(
            "gunicorn preload", "gunicorn", "gunicorn -b 127.0.0.1:{port} -w 4 --preload --log-level warning {app}"
        ),
        Contender("waitress", "waitress", "waitress --listen=127.0.0.1:{port} {app}"),
        Contender(
            "granian wsgi",
            "granian",
            "granian --interface wsgi --host 127.0.0.1 --port {port} --workers 1 --blocking-threads 1"
            " --http 1 --no-ws --log-level warning {app}",
        ),
    )
}


def python_of(package: str) -> Path:
    """The interpreter of a package's environment."""
    return CACHE / package / "bin" / "python"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Waits until no other benchmark runs from this checkout: two at once would measure each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another benchmark runs; waiting for it to end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(packages: set[str]) -> None:
    """Makes the environments that are missing; ours is installed again, it may have changed."""
    for package in sorted(packages):
        target = CACHE / package
        complete = target / "complete"
        if not complete.exists():
            print(f"making {target.relative_to(ROOT)}", flush=True)
            venv.create(target, with_pip=True, symlinks=True, clear=True)
            _pip(package, "flask", *filter(None, [PACKAGES[package]]))
            complete.touch()
        if package == OURS:
            _install_checkout()


def _install_checkout() -> None:
    """From a copy: a build in the checkout would leave its products there and might reuse stale ones."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy / name)
        shutil.copytree(ROOT / "gunicorn", copy / "gunicorn", ignore=shutil.ignore_patterns("__pycache__"))
        _pip(OURS, "--upgrade", "--force-reinstall", "--no-deps", str(copy))
        _pip(OURS, str(copy))


def _pip(package: str, *what: str) -> None:
    command = [str(python_of(package)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    subprocess.run(command, check=True, cwd=tempfile.gettempdir())


def version(package: str) -> str:
    """What is installed, as its metadata says."""
    name = PACKAGES[package] or "gunicorn"
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    # Away from the checkout: its own package would be found first.
    done = subprocess.run(
        [str(python_of(package)), "-c", code], check=True, capture_output=True, text=True, cwd=tempfile.gettempdir()
    )
    return done.stdout.strip()


def environment() -> dict[str, str]:
    """What a server sees of ours: a path, and a home of its own that nothing leaks into."""
    home = CACHE / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}


def python_version() -> str:
    """The interpreter all environments are made with."""
    return ".".join(map(str, sys.version_info[:3]))
