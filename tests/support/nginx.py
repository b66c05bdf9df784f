"""An nginx of the test's own in front of a server: written configuration, one folder, no daemon.

Knows the nginx binary of the distribution; absent it, tests are skipped, except in CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pytest

from tests.support import client
from tests.support.server import free_port

CONFIGURATION = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    upstream application {{
        server {upstream} fail_timeout=0;
        keepalive {keepalive};
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_http_version {version};
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto {scheme};
            proxy_next_upstream off;
            proxy_pass http://application;
            {location}
        }}
    }}
}}
"""


def nginx_binary() -> str:
    """Path of nginx; skips the test when there is none, fails it under CI=true."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed: the proxy tests did NOT run")
    return found


class Nginx:
    """nginx on `port` in front of `upstream` ("127.0.0.1:8000" or "unix:/path"); a context manager.

    `location` is more configuration for the only location, `version` the HTTP version towards the
    server, `scheme` what X-Forwarded-Proto says.
    """

    def __init__(
        self, upstream: str, *, location: str = "", keepalive: int = 16, version: str = "1.1", scheme: str = "http"
    ) -> None:
        self._binary = nginx_binary()
        self._folder = tempfile.TemporaryDirectory(prefix="gunicorn-nginx-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        user = "user root;" if os.geteuid() == 0 else ""
        text = CONFIGURATION.format(
            version=version,
            scheme=scheme,
            folder=self.folder,
            upstream=upstream,
            port=self.port,
            location=location,
            user=user,
            keepalive=keepalive,
        )
        (self.folder / "nginx.conf").write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Nginx:
        arguments: Sequence[str] = [self._binary, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [*arguments, "-e", str(self.folder / "error.log")], stdout=output, stderr=output
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                client.open_socket(self.address, 1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        text = self.log()
        self._end()
        raise AssertionError(f"nginx did not start: {text}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            print(self.log()[-8000:])
        self._end()

    def connect(self, timeout: float = 10.0) -> client.Connection:
        return client.Connection(self.address, timeout=timeout)

    def log(self) -> str:
        """The error log and whatever nginx printed."""
        files = (self.folder / "output", self.folder / "error.log")
        return "".join(path.read_text(errors="replace") for path in files if path.exists())

    def errors(self) -> list[str]:
        """Lines of the error log at level "error" and above."""
        return [
            line
            for line in self.log().splitlines()
            if any(f"[{x}]" in line for x in ("error", "crit", "alert", "emerg"))
        ]

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()
