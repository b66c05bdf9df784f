"""The service manager played by a datagram socket and an environment."""

import os
import socket
import subprocess
import sys
import time

import pytest

from gunicorn.host.systemd import Notifier, PassedFd, listen_fds, pass_on


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def notifier(manager):
    made = Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})
    yield made
    made.close()


def heard(manager):
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))


def test_messages(manager, notifier):
    assert notifier.is_active
    assert notifier.ready("4 workers")
    assert heard(manager) == {"READY": "1", "STATUS": "4 workers"}
    assert notifier.ready()
    assert heard(manager) == {"READY": "1"}
    notifier.stopping()
    assert heard(manager) == {"STOPPING": "1"}
    notifier.status("3 busy")
    assert heard(manager) == {"STATUS": "3 busy"}
    notifier.mainpid(4711)
    assert heard(manager) == {"MAINPID": "4711"}
    notifier.watchdog()
    assert heard(manager) == {"WATCHDOG": "1"}


def test_reload_carries_the_monotonic_time(manager, notifier):
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    message = heard(manager)
    assert message["RELOADING"] == "1"
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


def test_status_cannot_forge_another_line(manager, notifier):
    notifier.status("bad\nMAINPID=1\r\nREADY=1")
    assert heard(manager) == {"STATUS": "bad MAINPID=1 READY=1"}


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux'")
def test_abstract_address():
    name = f"gunicorn-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        assert Notifier(f"@{name}").ready()
        assert heard(sock) == {"READY": "1"}


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_silence_without_an_address(environ):
    notifier = Notifier.from_environment({**environ, "WATCHDOG_USEC": "1000000"})
    assert not notifier.is_active
    assert notifier.ready() is False
    assert notifier.watchdog_interval == 0


def test_manager_that_is_gone(tmp_path):
    assert Notifier(str(tmp_path / "nobody")).ready() is False


def test_manager_that_does_not_read(manager, notifier):
    while notifier.status("x" * 1000):
        pass
    assert notifier.ready() is False
    heard(manager)
    assert notifier.ready() is True


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "42"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "43"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_watchdog_interval(environ, interval):
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/x", **environ}, pid=42).watchdog_interval == interval


def test_environment_is_left_for_the_next_tree():
    environ = {"NOTIFY_SOCKET": "/x"}
    Notifier.from_environment(environ)
    assert environ == {"NOTIFY_SOCKET": "/x"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "42"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "43"},
        {"LISTEN_FDS": "x", "LISTEN_PID": "42"},
        {"LISTEN_FDS": "0", "LISTEN_PID": "42"},
        {"LISTEN_FDS": "-1", "LISTEN_PID": "42"},
    ],
)
def test_no_descriptors_for_us(environ):
    environ["OTHER"] = "stays"
    assert listen_fds(environ, pid=42) == []
    assert environ == {"OTHER": "stays"}


RECEIVER = """
import os
from gunicorn.host.systemd import listen_fds
os.environ["LISTEN_PID"] = str(os.getpid())
passed = listen_fds()
print([tuple(each) for each in passed], [os.get_inheritable(each.fd) for each in passed], "LISTEN_FDS" in os.environ)
"""


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:admin"}, "[(3, 'http'), (4, 'admin')] [False, False] False"),
        ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "http"}, "[(3, 'http'), (4, '')] [False, False] False"),
        ({"LISTEN_FDS": "1"}, "[(3, '')] [False] False"),
        ({"LISTEN_FDS": "3"}, "[(3, ''), (4, '')] [False, False] False"),
    ],
)
def test_descriptors_are_received(environ, shown):
    """In a process of its own, where 3 and 4 are ours to fill."""
    fill = "import os, sys; os.dup2(0, 3); os.dup2(0, 4); os.closerange(5, 64); os.execv(sys.executable, sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", fill, sys.executable, "-c", RECEIVER],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == shown, done.stderr


def test_descriptors_are_passed_on():
    with socket.socket() as one, socket.socket() as two:
        environ = {}
        pass_on(environ, [PassedFd(one.fileno(), "http"), PassedFd(two.fileno(), "")], 42)
        assert environ == {"LISTEN_FDS": "2", "LISTEN_PID": "42", "LISTEN_FDNAMES": "http:"}
        assert one.get_inheritable()
        assert two.get_inheritable()
        pass_on(environ := {}, [PassedFd(one.fileno(), "")], 42)
        assert environ == {"LISTEN_FDS": "1", "LISTEN_PID": "42"}
        pass_on(environ := {}, [], 42)
        assert environ == {}
