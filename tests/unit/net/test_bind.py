"""What bind(2) refuses to an ordinary user, seen from a child process that has become one."""

import os
import socket
from pathlib import Path

import pytest

from gunicorn.errors import ListenError
from gunicorn.net.address import parse_bind
from gunicorn.net.bind import BindBusy, bind_tcp, bind_unix, resolve

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
NOBODY = 65534


def as_nobody(call):
    """What `call` says in a child without privileges: the error's text, or "ok"."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            call()
            text = "ok"
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        os.write(theirs, text.encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def unix(path, **changes):
    return bind_unix(parse_bind(f"unix:{path}"), **{"umask": 0, "uid": -1, "gid": -1, **changes})


@as_root
def test_directory_that_is_not_writable(tmp_path):
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    text = as_nobody(lambda: unix(tmp_path / "a"))
    assert text.startswith("ListenError")
    assert "not writable for this user" in text


@as_root
def test_stale_socket_that_cannot_be_removed(tmp_path):
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    unix(tmp_path / "a").close()
    (tmp_path / "a").chmod(0o777)
    assert "stale socket is there and cannot be removed" in as_nobody(lambda: unix(tmp_path / "a"))
    (tmp_path / "a").chmod(0o700)
    assert "cannot be probed" in as_nobody(lambda: unix(tmp_path / "a"))


@as_root
def test_owner_that_may_not_be_given(tmp_path):
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    tmp_path.chmod(0o777)
    text = as_nobody(lambda: unix(tmp_path / "a", uid=0))
    assert "cannot give" in text
    assert not (tmp_path / "a").exists()


@as_root
def test_privileged_port():
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not start.exists() or int(start.read_text()) < 80:
        pytest.skip("every port is free to all here")
    text = as_nobody(lambda: bind_tcp(parse_bind("127.0.0.1:79"), reuse_port=False, v6only=False))
    assert "permission denied" in text
    assert "CAP_NET_BIND_SERVICE" in text


def test_socket_of_another_type_is_alive(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "a"))
        with pytest.raises(ListenError, match="cannot be probed"):
            unix(tmp_path / "a")
    assert (tmp_path / "a").exists()


def test_full_accept_queue_is_alive(tmp_path):
    with unix(tmp_path / "a") as server:
        server.listen(0)
        clients = []
        for _ in range(8):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            clients.append(client)
            if client.connect_ex(str(tmp_path / "a")):
                break
        with pytest.raises(BindBusy):
            unix(tmp_path / "a")
        for client in clients:
            client.close()


def test_owner_unchanged_needs_no_right(tmp_path):
    unix(tmp_path / "a", uid=os.geteuid(), gid=os.stat(tmp_path).st_gid).close()


def test_resolve_prefers_ipv4():
    assert resolve(parse_bind("localhost:80"))[0] == socket.AF_INET
    assert resolve(parse_bind(":80")) == (socket.AF_INET, ("0.0.0.0", 80))
    assert resolve(parse_bind("[::1]:80"))[1][:2] == ("::1", 80)


def test_label_too_long_for_a_name():
    with pytest.raises(ListenError, match="does not resolve"):
        resolve(parse_bind("x" * 64 + ".example:80"))
