"""A throw-away certificate authority with a server and a client certificate, made once a test run.

Knows only the `openssl` command.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files: the authority, a server for localhost, a client "alice", a stranger's pair."""

    ca: Path
    cert: Path
    key: Path
    client_cert: Path
    client_key: Path
    other_key: Path

    def client_context(self, *, alpn: tuple[str, ...] = (), client: bool = False) -> ssl.SSLContext:
        """A context that trusts the authority; with `client` it shows alice's certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if client:
            context.load_cert_chain(self.client_cert, self.client_key)
        return context


@functools.cache
def certificates() -> Certificates:
    folder = Path(tempfile.mkdtemp(prefix="gunicorn-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _openssl(
        "req",
        "-x509",
        *_new_key(folder / "ca.key"),
        "-out",
        folder / "ca.pem",
        "-days",
        "2",
        "-subj",
        "/CN=test authority",
        # Python 3.13 verifies strictly (RFC 5280 4.2.1.3).
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    )
    _sign(folder, "server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    _sign(folder, "alice", "/CN=alice", "extendedKeyUsage=clientAuth")
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "other.key")
    return Certificates(
        ca=folder / "ca.pem",
        cert=folder / "server.pem",
        key=folder / "server.key",
        client_cert=folder / "alice.pem",
        client_key=folder / "alice.key",
        other_key=folder / "other.key",
    )


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)


def _sign(folder: Path, name: str, subject: str, extension: str) -> None:
    (folder / f"{name}.ext").write_text(extension + "\n")
    _openssl("req", "-new", *_new_key(folder / f"{name}.key"), "-out", folder / f"{name}.csr", "-subj", subject)
    _openssl(
        *("x509", "-req", "-in", folder / f"{name}.csr", "-days", "2", "-out", folder / f"{name}.pem"),
        *("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-extfile", folder / f"{name}.ext"),
    )


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
