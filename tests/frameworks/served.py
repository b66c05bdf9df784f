"""A framework's application on a running server, as the tests see it.

Knows the command lines of the servers the suite can run on and the few routes every application has
(/marks, /open); what is asked otherwise the tests know.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect, unix_connect

from tests.frameworks.table import Framework
from tests.support import client
from tests.support.certificates import certificates
from tests.support.processes import eventually
from tests.support.server import Server, free_port

SERVER = os.environ.get("FRAMEWORKS_SERVER", "gunicorn")
"""Which server to run on: "gunicorn", or another one for comparison."""

COMPLAINTS = ("was never awaited", "never retrieved", "Task was destroyed", "the application returned with")
PATIENCE, LITTLE_PATIENCE = 10.0, 2.0
"""Seconds to wait for what must come, and for what the table says will not come."""
END_OF_TRACEBACK = re.compile(r"^(?:  [+|] +|)([A-Za-z_][\w.]*)(?::|$)(.*)", re.MULTILINE)


def prepare(
    framework: Framework,
    loop: str,
    folder: Path,
    *args: str,
    tls: bool = False,
    unix: bool = False,
    fails: bool = False,
) -> Server:
    """A server for this application, not yet started. `args` are options both servers understand.

    With `fails` the application breaks when it starts up, and the server need not come up.
    """
    env = {"FRAMEWORKS_FOLDER": str(folder)} | ({"FRAMEWORKS_FAIL": "startup"} if fails else {})
    if SERVER == "gunicorn":
        return Server(
            framework.app,
            *("-k", "asgi", "--asgi-loop", loop, *args),
            env=env,
            bind="unix" if unix else "tcp",
            tls=tls,
            ready=not fails,
            tracebacks=True,
        )
    if SERVER == "uvicorn":
        return _uvicorn(framework, env, ("--loop", loop, *args), tls=tls, unix=unix, fails=fails)
    raise LookupError(f"FRAMEWORKS_SERVER={SERVER} is not known: gunicorn or uvicorn")


def _uvicorn(
    framework: Framework, env: dict[str, str], args: tuple[str, ...], *, tls: bool, unix: bool, fails: bool
) -> Server:
    address: client.Address = ("127.0.0.1", free_port())
    bind = ("--host", "127.0.0.1", "--port", str(address[1]))
    if unix:
        address = f"{env['FRAMEWORKS_FOLDER']}/http.sock"
        bind = ("--uds", address)
    made = certificates() if tls else None
    encrypted = ("--ssl-certfile", str(made.cert), "--ssl-keyfile", str(made.key)) if made else ()
    return Server(
        framework.app,
        *(*bind, *encrypted, *args),
        env=env,
        bind=None,
        address=address,
        ready=not fails,
        tracebacks=True,
        command=[sys.executable, "-m", "uvicorn"],
    )


class Served:
    """One application, served: asks it, opens WebSockets to it, reads its marks."""

    def __init__(self, framework: Framework, server: Server, folder: Path, *, tls: bool = False) -> None:
        self.framework = framework
        self.tls = certificates().client_context() if tls else None
        self.server = server
        self.folder = folder
        self.patience = PATIENCE
        self._excused: list[tuple[int, int]] = []

    def connect(self, receive_buffer: int = 0) -> client.Connection:
        return client.Connection(self.server.address, tls=self.tls, receive_buffer=receive_buffer)

    def ask(self, method: str, target: str, fields: client.Fields = (), body: bytes | None = None) -> client.Response:
        with self.connect() as connection:
            return connection.request(method, target, [("Connection", "close"), *fields], body)

    def get(self, target: str, fields: client.Fields = ()) -> client.Response:
        return self.ask("GET", target, fields)

    def json(self, target: str, fields: client.Fields = ()) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.get(target, fields)
        assert response.status == 200, (target, response)
        return json.loads(response.body)

    def marks(self, key: str) -> list[str]:
        return self.json(f"/marks?key={key}")

    def wait_mark(self, key: str, text: str) -> None:
        """Waits until the application has marked `text`."""
        eventually(lambda: text in self.marks(key), lambda: f"{text!r} among {self.marks(key)[-5:]}", self.patience)

    def open(self, key: str) -> None:
        """Lets one waiter of the application's gate `key` go on."""
        assert self.get(f"/open?key={key}").text == "open"

    @contextmanager
    def excused(self) -> Iterator[None]:
        """What is logged meanwhile is not held against anyone."""
        start = len(self.server.log())
        try:
            yield
        finally:
            # A line may be written after the answer it is about, but not after the answer to the next request.
            self.get("/text")
            self._excused.append((start, len(self.server.log())))

    def complaints(self) -> list[str]:
        """What the log may not hold, outside of what was excused."""
        log, parts, end = self.server.log(), [], 0
        for start, stop in self._excused:
            parts.append(log[end:start])
            end = stop
        return unexpected("\n".join([*parts, log[end:]]))

    @contextmanager
    def expected_to_fail(self) -> Iterator[None]:
        """For what the table says cannot work: its traces in the log are excused, and no one waits long for it."""
        self.patience = LITTLE_PATIENCE
        try:
            with self.excused():
                yield
        finally:
            self.patience = PATIENCE

    @contextmanager
    def websocket(self, target: str, **options: Any) -> Iterator[ClientConnection]:
        address = self.server.address
        options = {"max_size": None, "open_timeout": 10, "close_timeout": 5, "proxy": None, **options}
        if self.tls:
            opened = connect(f"wss://localhost:{address[1]}{target}", ssl=self.tls, **options)
        elif isinstance(address, str):
            opened = unix_connect(address, f"ws://localhost{target}", **options)
        else:
            opened = connect(f"ws://{address[0]}:{address[1]}{target}", **options)
        with opened as connection:
            yield connection


def unexpected(log: str) -> list[str]:
    """What no log of this suite may hold: tracebacks not made on purpose, complaints of asyncio."""
    found = [line for line in log.splitlines() if any(complaint in line for complaint in COMPLAINTS)]
    for part in log.split("Traceback (most recent call last):")[1:]:
        end = END_OF_TRACEBACK.search(part)
        if end is None or "on purpose" not in end[0]:
            found.append(end[0] if end else part[:200])
    return found
