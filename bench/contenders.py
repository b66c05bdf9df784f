"""The servers that are measured, as data: which package, which version, which command line.

Versions are pinned: a figure of last month and one of today speak of the same peer. Each package lives in
a virtual environment of its own under .cache/bench, made on first use. Ours is installed there from a copy
of the checkout, as a user would have it.
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
class Package:
    """What pip installs into one environment. `server` is empty for this checkout."""

    server: str
    beside: tuple[str, ...] = ()
    """What makes the server faster or lets it speak a protocol: shown with its version."""
    frameworks: tuple[str, ...] = ()

    @property
    def requirements(self) -> list[str]:
        return [*filter(None, [self.server]), *self.beside, *self.frameworks]

    @property
    def distribution(self) -> str:
        return self.server.partition("==")[0].partition("[")[0] or "gunicorn"


@dataclass(frozen=True)
class Contender:
    """A server and how it is started. `arguments` follow `python -m`; {app} and {port} are filled in."""

    name: str
    package: str
    arguments: str
    logged: str = "--access-logfile /dev/null"
    """Further flags that switch the access log on."""
    patient: str = ""
    """Further flags that let it keep ten thousand idle connections for minutes."""

    def command(self, app: str, port: int | str, patient: bool = False) -> list[str]:
        filled = self.arguments.format(app=app, port=port)
        return [str(python_of(self.package)), "-m", *filled.split(), *(self.patient.split() if patient else ())]


_FLASK = ("flask==3.1.3",)
_ASGI = ("starlette==1.10.0", "fastapi==0.165.0")
_UVLOOP = "uvloop==0.23.0"

PACKAGES = {
    OURS: Package("", (_UVLOOP, "websockets==17.4"), (*_FLASK, *_ASGI)),
    "gunicorn": Package("gunicorn==27.0.1", (), _FLASK),
    "waitress": Package("waitress==3.0.2"),
    "granian": Package("granian==2.8.7", (_UVLOOP,)),
    # Its extra `fast` asks for a later release of this parser than pip finds; it loads this one as well.
    "gunicorn-asgi": Package("gunicorn==27.0.1", (_UVLOOP, "gunicorn_h1c==0.6.9"), _ASGI),
    "uvicorn": Package("uvicorn==0.54.0", (_UVLOOP, "httptools==0.9.0", "websockets==17.4", "wsproto==1.3.2"), _ASGI),
    "hypercorn": Package("hypercorn==0.18.0", (_UVLOOP, "wsproto==1.3.2"), _ASGI),
}
"""Environment -> what pip installs there."""

_ONE = "-b 127.0.0.1:{port} -w 1 --log-level warning"
_PRELOAD = "-b 127.0.0.1:{port} -w 4 --preload --log-level warning"
_UVICORN = (
    "uvicorn --host 127.0.0.1 --port {port} --loop uvloop --http httptools --no-access-log --no-proxy-headers"
    " --log-level warning"
)
_GRANIAN = "granian --host 127.0.0.1 --port {port} --workers 1 --http 1 --log-level warning"
_KEEP = "--keep-alive 600 --worker-connections 20000"


def _uvicorn(name: str, websocket: str) -> Contender:
    return Contender(
        name,
        "uvicorn",
        f"{_UVICORN} --ws {websocket} {{app}}",
        "--log-level info --access-log",
        "--timeout-keep-alive 600",
    )


_ALL = (
    Contender("ours sync", OURS, f"gunicorn -k sync {_ONE} {{app}}"),
    Contender("ours gthread", OURS, f"gunicorn -k gthread --threads 4 {_ONE} {{app}}"),
    Contender("ours preload", OURS, f"gunicorn {_PRELOAD} {{app}}"),
    Contender("ours asgi", OURS, f"gunicorn -k asgi --asgi-loop uvloop {_ONE} {{app}}", patient=_KEEP),
    Contender("gunicorn sync", "gunicorn", f"gunicorn -k sync {_ONE} {{app}}"),
    Contender("gunicorn gthread", "gunicorn", f"gunicorn -k gthread --threads 4 {_ONE} {{app}}"),
    Contender("gunicorn preload", "gunicorn", f"gunicorn {_PRELOAD} {{app}}"),
    Contender(
        "gunicorn asgi",
        "gunicorn-asgi",
        f"gunicorn -k asgi --asgi-loop uvloop --http-parser fast {_ONE} {{app}}",
        patient=_KEEP,
    ),
    Contender("waitress", "waitress", "waitress --listen=127.0.0.1:{port} {app}"),
    Contender("granian wsgi", "granian", f"{_GRANIAN} --interface wsgi --blocking-threads 1 --no-ws {{app}}"),
    Contender(
        "granian asgi",
        "granian",
        f"{_GRANIAN} --interface asgi --loop uvloop --runtime-threads 1 --no-ws {{app}}",
    ),
    Contender(
        "granian websocket",
        "granian",
        f"{_GRANIAN} --interface asgi --loop uvloop --runtime-threads 1 --ws {{app}}",
    ),
    Contender("hypercorn", "hypercorn", f"hypercorn -k uvloop {_ONE} {{app}}"),
    _uvicorn("uvicorn", "none"),
    _uvicorn("uvicorn websockets", "websockets"),
    _uvicorn("uvicorn websockets-sansio", "websockets-sansio"),
    _uvicorn("uvicorn wsproto", "wsproto"),
)
CONTENDERS = {one.name: one for one in _ALL}


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


def prepare(packages: set[str]) -> dict[str, str]:
    """Makes the environments that are missing or changed; ours is installed again, it may have changed.

    Returns environment -> why it could not be made: a peer that does not install must not keep the others out.
    """
    failed = {}
    for package in sorted(packages):
        try:
            _prepare(package)
        except (subprocess.CalledProcessError, OSError) as error:
            failed[package] = f"no environment for {package}: {error}"
    return failed


def _prepare(package: str) -> None:
    target = CACHE / package
    complete = target / "complete"
    wanted = "\n".join([python_version(), *PACKAGES[package].requirements, ""])
    if not complete.exists() or complete.read_text() != wanted:
        print(f"making {target.relative_to(ROOT)}", flush=True)
        venv.create(target, with_pip=True, symlinks=True, clear=True)
        if PACKAGES[package].requirements:
            _pip(package, *PACKAGES[package].requirements)
        complete.write_text(wanted)
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
    """What is installed, as its metadata says: "0.54.0 (uvloop 0.23.0, httptools 0.9.0)"."""
    row = PACKAGES[package]
    names = [row.distribution, *(one.partition("==")[0] for one in row.beside)]
    code = f"import importlib.metadata as m; print(*map(m.version, {names!r}))"
    # Away from the checkout: its own package would be found first.
    done = subprocess.run(
        [str(python_of(package)), "-c", code], check=True, capture_output=True, text=True, cwd=tempfile.gettempdir()
    )
    server, *beside = done.stdout.split()
    libraries = ", ".join(f"{name} {number}" for name, number in zip(names[1:], beside, strict=True))
    return f"{server} ({libraries})" if libraries else server


def environment() -> dict[str, str]:
    """What a server sees of ours: a path, and a home of its own that nothing leaks into."""
    home = CACHE / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}


def python_version() -> str:
    """The interpreter all environments are made with."""
    return ".".join(map(str, sys.version_info[:3]))
