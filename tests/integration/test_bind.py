"""Every form of an address, sockets handed in by systemd, and what is cleaned up afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from tests.support.activation import activated
from tests.support.client import get
from tests.support.processes import eventually
from tests.support.server import Server, free_port

HELLO = "tests.apps.hello:app"
ECHO = "tests.apps.echo:app"


def test_tcp_and_its_names(worker):
    with Server(ECHO, *worker) as server:
        seen = server.get().body
        assert b'"SERVER_PORT": "%d"' % server.port in seen
        assert b'"REMOTE_ADDR": "127.0.0.1"' in seen
        assert f"http://127.0.0.1:{server.port}" in server.log()


def test_ipv6(worker):
    port = free_port()
    with Server(ECHO, *worker, bind=f"[::1]:{port}", address=("::1", port)) as server:
        seen = server.get().body
        assert b'"REMOTE_ADDR": "::1"' in seen
        assert f"http://[::1]:{port}" in server.log()


def test_unix_path(worker):
    with Server(ECHO, *worker, bind="unix") as server:
        assert server.get().status == 200
        assert stat.S_ISSOCK(os.stat(str(server.address)).st_mode)
        assert server.stop(SIGTERM) == 0
        assert not Path(str(server.address)).exists()


def test_unix_path_with_umask(tmp_path):
    path = tmp_path / "sock"
    with Server(HELLO, "--umask", "0o077", bind=f"unix:{path}", address=str(path)) as server:
        assert server.get().status == 200
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_stale_unix_path_is_replaced(tmp_path):
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    with Server(HELLO, bind=f"unix:{path}", address=str(path)) as server:
        assert server.get().status == 200


def test_a_replaced_unix_path_is_not_removed(tmp_path):
    """Another server took the path over meanwhile: it is not ours to unlink."""
    path = tmp_path / "sock"
    with Server(HELLO, bind=f"unix:{path}", address=str(path)) as server:
        server.get()
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            assert server.stop(SIGTERM) == 0
            assert path.exists()


def test_abstract_socket(worker):
    name = f"@gunicorn-test-{os.getpid()}-{worker[1]}"
    with Server(HELLO, *worker, bind=f"unix:{name}", address=name) as server:
        assert server.get().status == 200


def test_several_addresses(worker, tmp_path):
    first, second, path = free_port(), free_port(), tmp_path / "sock"
    more = ("--bind", f"127.0.0.1:{second}", "--bind", f"unix:{path}")
    with Server(HELLO, *worker, *more, bind=f"127.0.0.1:{first}", address=("127.0.0.1", first)) as server:
        for address in (("127.0.0.1", first), ("127.0.0.1", second), str(path)):
            assert get(address).status == 200
        for text in (str(first), str(second), str(path)):
            assert text in server.log()


def test_all_interfaces_by_an_empty_host():
    port = free_port()
    with Server(HELLO, bind=f":{port}", address=("127.0.0.1", port)) as server:
        assert server.get().status == 200


def test_port_variable():
    port = free_port()
    with Server(HELLO, env={"PORT": str(port)}, bind=None, address=("127.0.0.1", port)) as server:
        assert server.get().status == 200


def test_a_descriptor_handed_in(worker):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        number = listener.fileno()
        with Server(HELLO, *worker, bind=f"fd://{number}", address=address, pass_fds=(number,)) as server:
            assert server.get().status == 200


def test_reuse_port(worker):
    with Server(HELLO, *worker, "--reuse-port", "-w", "2") as server:
        assert [server.get().status for _ in range(10)] == [200] * 10
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", server.port))


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_backlog_is_what_the_listener_gets():
    with Server(HELLO, "--backlog", "37") as server:
        server.get()
        rows = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout.splitlines()
        row = next(line for line in rows if f":{server.port} " in line)
        assert row.split()[2] == "37"


def test_socket_activation(worker):
    with socket.create_server(("127.0.0.1", 0)) as listener, activated(listener, *worker) as server:
        assert server.get().status == 200
        port = listener.getsockname()[1]
        assert str(port) in server.log()
        assert "8000" not in server.log()


def test_an_activated_unix_socket_belongs_to_systemd(tmp_path):
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with activated(listener) as server:
            assert server.get().status == 200
            assert server.stop(SIGTERM) == 0
        assert path.exists(), "systemd made the path and will listen on it again"


def test_a_connection_made_before_the_start_is_served():
    """Socket activation's whole point: the queue is there before the server is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        early = socket.create_connection(listener.getsockname(), timeout=10)
        early.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with activated(listener):
            assert early.recv(100).startswith(b"HTTP/1.1 200")
        early.close()


def test_listen_fds_meant_for_another_process_are_ignored():
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    with Server(HELLO, env=environment) as server:
        assert server.get().status == 200


def test_notify_socket_gets_every_stage(tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10)
        with Server(HELLO, env={"NOTIFY_SOCKET": str(path)}) as server:
            said = ""
            while "READY=1" not in said:
                said += notify.recv(4096).decode() + "\n"
            assert server.get().status == 200
            server.signal(SIGHUP)
            while "RELOADING=1" not in said or said.count("READY=1") < 2:
                said += notify.recv(4096).decode() + "\n"
            assert "MONOTONIC_USEC=" in said
            assert server.stop(SIGTERM) == 0
            while "STOPPING=1" not in said:
                said += notify.recv(4096).decode() + "\n"


def test_ready_is_said_only_when_a_worker_serves(tmp_path, deploy):
    path = tmp_path / "notify"
    deploy.version("v1", boot=1.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.setblocking(False)
        with Server(deploy.uri, env={"NOTIFY_SOCKET": str(path)}, cwd=deploy.folder) as server:
            said: list[bytes] = []

            def ready() -> bool:
                try:
                    said.append(notify.recv(4096))
                except BlockingIOError:
                    return False
                return any(b"READY=1" in text for text in said)

            assert not ready(), "the application is still being imported"
            eventually(ready, "READY=1")
            assert server.get().status == 200
