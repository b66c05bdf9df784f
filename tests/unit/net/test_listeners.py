"""Listeners on the loopback interface and in a temporary directory: opened, refused, handed on, stopped."""

import os
import socket
import stat
import sys

import pytest

from gunicorn.errors import ListenError
from gunicorn.net.address import parse_bind
from gunicorn.net.listeners import (
    ListenOptions,
    adopt,
    backlog_depth,
    backlog_limit,
    bind_of,
    open_listeners,
    stop_intake,
)

ONCE = ListenOptions(attempts=1)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel facility is Linux'")


@pytest.fixture
def opened():
    """Opens binds given as text; closes everything at the end."""
    everything = []

    def make(*texts, options=ONCE, inherited=(), **more):
        made = open_listeners([parse_bind(text) for text in texts], options, inherited, **more)
        everything.extend(made)
        return made

    yield make
    for listener in everything:
        listener.close(unlink=True)


def connect(listener):
    if listener.family == socket.AF_UNIX:
        client = socket.socket(socket.AF_UNIX)
        client.connect(listener.getsockname())
    else:
        client = socket.create_connection(listener.address, timeout=5)
    client.settimeout(5)
    return client


def fault(opened, *texts, **more):
    with pytest.raises(ListenError) as caught:
        opened(*texts, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tcp_listener_accepts(opened):
    (listener,) = opened("127.0.0.1:0")
    host, port = listener.address
    assert (host, listener.name) == ("127.0.0.1", f"http://127.0.0.1:{port}")
    assert listener.sock.getblocking() is False
    assert os.get_inheritable(listener.fileno()) is False
    with pytest.raises(BlockingIOError):
        listener.accept()
    with connect(listener) as client:
        accepted, peer = listener.accept()
        with accepted:
            assert peer == client.getsockname()


def test_accepted_sockets_inherit_nodelay(opened):
    (listener,) = opened("127.0.0.1:0")
    with connect(listener), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_names(opened, tmp_path):
    secure = ListenOptions(tls=True, attempts=1)
    assert opened("127.0.0.1:0", options=secure)[0].name.startswith("https://127.0.0.1:")
    assert opened("uwsgi://127.0.0.1:0")[0].name.startswith("uwsgi://127.0.0.1:")
    assert opened(f"unix:{tmp_path}/a")[0].name == f"unix:{tmp_path}/a"
    assert str(opened(f"uwsgi://unix:{tmp_path}/b")[0]) == f"uwsgi://unix:{tmp_path}/b"


def test_several_in_order_and_each_once(opened, tmp_path):
    texts = ["127.0.0.1:0", f"unix:{tmp_path}/a", f"unix:///{tmp_path}/a".replace("////", "///")]
    made = opened(*texts)
    assert [listener.family for listener in made] == [socket.AF_INET, socket.AF_UNIX]


def test_taken_port_names_its_holder(opened):
    (first,) = opened("127.0.0.1:0")
    text = fault(opened, f"127.0.0.1:{first.address[1]}")
    assert f"cannot listen on 127.0.0.1:{first.address[1]}" in text
    assert "port is taken" in text
    if sys.platform == "linux":
        assert f"by pid {os.getpid()} (" in text


def test_taken_port_is_tried_again_and_said(opened):
    (first,) = opened("127.0.0.1:0")
    lines, pauses = [], []

    def wait(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            first.close()

    options = ListenOptions(attempts=5, retry_pause=0.5)
    (second,) = opened(f"127.0.0.1:{first.address[1]}", options=options, on_retry=lines.append, wait=wait)
    assert second.address[1] > 0
    assert pauses == [0.5, 0.5]
    assert "retrying in 0.5 s (1 of 4)" in lines[0]
    assert "(2 of 4)" in lines[1]


def test_tries_are_bounded(opened):
    (first,) = opened("127.0.0.1:0")
    pauses = []
    options = ListenOptions(attempts=3, retry_pause=0)
    assert "taken" in fault(opened, f"127.0.0.1:{first.address[1]}", options=options, wait=pauses.append)
    assert len(pauses) == 2


def test_giving_up_while_waiting_closes_what_was_opened(opened, tmp_path):
    (first,) = opened("127.0.0.1:0")

    def wait(seconds):
        raise SystemExit(0)

    with pytest.raises(SystemExit):
        opened(f"unix:{tmp_path}/a", f"127.0.0.1:{first.address[1]}", options=ListenOptions(), wait=wait)
    assert not (tmp_path / "a").exists()


def test_failure_closes_what_was_opened(opened, tmp_path):
    path = tmp_path / "a"
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    fault(opened, f"unix:{path}", "unix:/nowhere/at/all")
    assert not path.exists()
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_host_that_does_not_resolve(opened):
    assert "does not resolve" in fault(opened, "no-such-host.invalid:80")


def test_address_of_another_machine(opened):
    assert "no interface of this machine" in fault(opened, "192.0.2.1:80")


def test_reuse_port_shares(opened):
    options = ListenOptions(reuse_port=True, attempts=1)
    (first,) = opened("127.0.0.1:0", options=options)
    (second,) = opened(f"127.0.0.1:{first.address[1]}", options=options)
    assert first.address == second.address


@needs_ipv6
def test_ipv6_takes_ipv4_unless_ipv4_is_bound_too(opened):
    (both,) = opened("[::]:0")
    assert both.sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    port = both.address[1]
    both.close()
    four, six = opened(f"0.0.0.0:{port}", f"[::]:{port}")
    assert (four.family, six.family) == (socket.AF_INET, socket.AF_INET6)


def test_unix_file_mode_follows_umask(opened, tmp_path):
    before = os.umask(0o022)
    try:
        opened(f"unix:{tmp_path}/open", f"unix:{tmp_path}/shut")
        assert stat.S_IMODE(os.stat(tmp_path / "open").st_mode) == 0o777
        opened(f"unix:{tmp_path}/own", options=ListenOptions(unix_umask=0o077))
        assert stat.S_IMODE(os.stat(tmp_path / "own").st_mode) == 0o700
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_unix_file_is_given_away(opened, tmp_path):
    opened(f"unix:{tmp_path}/a", options=ListenOptions(unix_uid=12345, unix_gid=54321))
    found = os.stat(tmp_path / "a")
    assert (found.st_uid, found.st_gid) == (12345, 54321)


def test_stale_unix_socket_is_replaced(opened, tmp_path):
    path = tmp_path / "a"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (listener,) = opened(f"unix:{path}")
    connect(listener).close()


def test_live_unix_socket_is_not(opened, tmp_path):
    (first,) = opened(f"unix:{tmp_path}/a")
    assert "another process listens there" in fault(opened, f"unix:{tmp_path}/a")
    connect(first).close()


def test_file_that_is_no_socket_is_not(opened, tmp_path):
    (tmp_path / "a").write_text("precious")
    assert "not a socket" in fault(opened, f"unix:{tmp_path}/a")
    assert (tmp_path / "a").read_text() == "precious"


def test_unix_directory_faults(opened, tmp_path):
    assert "does not exist" in fault(opened, f"unix:{tmp_path}/no/a")
    (tmp_path / "file").touch()
    assert "Not a directory" in fault(opened, f"unix:{tmp_path}/file/a")


def test_unlink_takes_only_our_own_file(opened, tmp_path):
    (first,) = opened(f"unix:{tmp_path}/a")
    os.rename(tmp_path / "a", tmp_path / "b")
    (second,) = opened(f"unix:{tmp_path}/a")
    assert first.unlink() is False
    assert (tmp_path / "a").exists()
    assert second.unlink() is True
    assert not (tmp_path / "a").exists()
    assert second.unlink() is False


def test_close_keeps_the_file_unless_told(opened, tmp_path):
    (listener,) = opened(f"unix:{tmp_path}/a")
    listener.close()
    assert (tmp_path / "a").exists()


def test_relative_path_survives_chdir(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (listener,) = opened("unix:a")
    monkeypatch.chdir("/")
    assert listener.path == listener.address == str(tmp_path / "a")
    connect(listener).close()
    assert listener.unlink() is True


def test_relative_path_in_a_directory_too_deep_for_the_kernel(opened, tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    (listener,) = opened("unix:a")
    monkeypatch.chdir("/")
    assert listener.address == "a"
    assert listener.path == str(deep / "a")
    assert listener.unlink() is True


@needs_linux
def test_abstract_name(opened):
    (listener,) = opened(f"unix:@gunicorn-test-{os.getpid()}")
    assert listener.path == ""
    assert listener.name == f"unix:@gunicorn-test-{os.getpid()}"
    connect(listener).close()
    assert "another process listens there" in fault(opened, f"unix:@gunicorn-test-{os.getpid()}")
    assert stop_intake(listener) is False


def test_reload_keeps_what_is_still_wanted(opened, tmp_path):
    a, b = opened(f"unix:{tmp_path}/a", "127.0.0.1:0")
    port = b.address[1]
    made = opened(f"127.0.0.1:{port}", f"unix:{tmp_path}/c", f"unix:{tmp_path}/a", inherited=[a, b])
    assert made[0] is b
    assert made[2] is a
    assert made[1] not in (a, b)


def test_reload_leaves_the_unwanted_open(opened, tmp_path):
    (a,) = opened(f"unix:{tmp_path}/a")
    opened(f"unix:{tmp_path}/b", inherited=[a])
    connect(a).close()


def test_failed_reload_leaves_the_old_alone(opened, tmp_path):
    (a,) = opened(f"unix:{tmp_path}/a")
    fault(opened, f"unix:{tmp_path}/a", "unix:/nowhere/b", inherited=[a])
    connect(a).close()


def test_upgrade_matches_by_address(opened, tmp_path):
    old = opened("localhost:0", f"unix:{tmp_path}/a")
    port = old[0].address[1]
    taken = [adopt(os.dup(each.fileno()), ONCE, owned=True) for each in reversed(old)]
    made = opened(f"localhost:{port}", f"unix:{tmp_path}/a", inherited=taken)
    assert made == [taken[1], taken[0]]
    assert made[0].bind == parse_bind(f"localhost:{port}")
    assert made[1].unlink() is True


def test_upgrade_gives_port_zero_the_port_of_last_time(opened):
    (old,) = opened("127.0.0.1:0")
    taken = adopt(os.dup(old.fileno()), ONCE, owned=True)
    (made,) = opened("127.0.0.1:0", inherited=[taken])
    assert made is taken


def test_fd_bind(opened):
    with socket.create_server(("127.0.0.1", 0)) as server:
        fd = os.dup(server.fileno())
        (listener,) = opened(f"fd://{fd}")
        assert listener.owned is False
        assert listener.address == server.getsockname()
        assert listener.name == f"http://127.0.0.1:{server.getsockname()[1]}"
        assert stop_intake(listener) is False
        connect(listener).close()


def test_fd_stays_foreign_after_an_upgrade(opened):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = adopt(os.dup(server.fileno()), ONCE, owned=True)
        (made,) = opened(f"fd://{taken.fileno()}", inherited=[taken])
        assert made is taken
        assert made.owned is False


def test_adopted_unix_path_of_systemd_is_not_unlinked(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "a"))
        server.listen()
        listener = adopt(os.dup(server.fileno()), ONCE, owned=False)
        assert bind_of(server) == parse_bind(f"unix:{tmp_path}/a")
        listener.close(unlink=True)
    assert (tmp_path / "a").exists()


def test_fd_faults(opened, tmp_path):
    assert "not an open socket" in fault(opened, "fd://9999")
    fd = os.open(tmp_path, os.O_RDONLY)
    assert f"fd://{fd}" in fault(opened, f"fd://{fd}")
    os.close(fd)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert "stream socket" in fault(opened, f"fd://{sock.fileno()}")
    with socket.socket() as sock:
        assert "does not listen" in fault(opened, f"fd://{sock.fileno()}")
        sock.getsockname()  # still open: it was not ours to close


def test_stop_intake_of_a_path(opened, tmp_path):
    (listener,) = opened(f"unix:{tmp_path}/a")
    with connect(listener) as waiting:
        assert stop_intake(listener) is True
        with socket.socket(socket.AF_UNIX) as late, pytest.raises(FileNotFoundError):
            late.connect(str(tmp_path / "a"))
        accepted, _ = listener.accept()
        accepted.sendall(b"served")
        assert waiting.recv(6) == b"served"
        accepted.close()


@needs_linux
@pytest.mark.parametrize("text", ["127.0.0.1:0", *(["[::1]:0", "[::]:0"] if has_ipv6() else [])])
def test_stop_intake_of_a_port_serves_the_queue_to_the_end(opened, text):
    (listener,) = opened(text)
    waiting = [connect(listener) for _ in range(8)]
    assert backlog_depth(listener) == 8
    assert stop_intake(listener) is True
    late = socket.socket(listener.family)
    late.setblocking(False)
    # The handshake on loopback happens inside connect: it would be complete here if the SYN had been heard.
    assert late.connect_ex(listener.address) != 0
    assert backlog_depth(listener) == 8
    for client in waiting:
        client.sendall(b"ask")
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(3) == b"ask"
            accepted.sendall(b"served")
        assert client.recv(6) == b"served"
        assert client.recv(6) == b""
        client.close()
    with pytest.raises(BlockingIOError):
        listener.accept()
    with pytest.raises(OSError, match="not connected"):
        late.getpeername()
    late.close()


@needs_linux
def test_stop_intake_works_on_sockets_shared_with_other_processes(opened):
    (listener,) = opened("127.0.0.1:0")
    shared = adopt(os.dup(listener.fileno()), ONCE, owned=True)
    assert stop_intake(listener) is True
    with socket.socket() as late:
        late.setblocking(False)
        late.connect_ex(listener.address)
        with pytest.raises(BlockingIOError):
            shared.accept()
    shared.close()


@needs_linux
def test_backlog_is_counted(opened):
    (listener,) = opened("127.0.0.1:0", options=ListenOptions(backlog=7))
    assert (backlog_depth(listener), backlog_limit(listener)) == (0, 7)
    with connect(listener), connect(listener):
        assert backlog_depth(listener) == 2
        listener.accept()[0].close()
        assert backlog_depth(listener) == 1


def test_backlog_of_a_path_is_unknown(opened, tmp_path):
    (listener,) = opened(f"unix:{tmp_path}/a")
    assert backlog_depth(listener) is None
    assert backlog_limit(listener) is None
