"""An upgrade: what the new server is told, what it finds, and how it learns that the old one has left."""

import json
import os
import select
import socket
import subprocess
import sys

import pytest

from gunicorn.errors import ListenError
from gunicorn.net.address import parse_bind
from gunicorn.net.listeners import Listener, ListenOptions, adopt, open_listeners
from gunicorn.supervisor import upgrade
from gunicorn.supervisor.upgrade import Origin, Vigil, inherited, launch, lent, predecessor

OPTIONS = ListenOptions(attempts=1)

TELL = """
import json, os, sys
keys = ("GUNICORN_PID", "GUNICORN_FD", "LISTEN_FDS", "LISTEN_PID", "MARK")
seen = {key: os.environ.get(key) for key in keys}
seen |= {"pid": os.getpid(), "ppid": os.getppid(), "cwd": os.getcwd(), "argv": sys.argv[1:]}
seen["open"] = [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}")]
import signal
seen["blocked"] = len(signal.pthread_sigmask(signal.SIG_BLOCK, []))
os.write(int(os.environ["TELL"]), json.dumps(seen).encode())
"""


@pytest.fixture
def listeners():
    opened = open_listeners([parse_bind("127.0.0.1:0"), parse_bind("127.0.0.1:0")][:1], OPTIONS)
    yield opened
    for listener in opened:
        listener.close()


def told(listeners, tmp_path, **environment):
    """What a program sees that is launched with these listeners."""
    out, into = os.pipe()
    os.set_inheritable(into, True)
    origin = Origin(
        sys.executable, [sys.executable, "-c", TELL, "some", "words"], str(tmp_path), {"TELL": str(into), **environment}
    )
    pid = launch(origin, listeners)
    os.close(into)
    with os.fdopen(out) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    seen = json.loads(text)
    assert seen["pid"] == pid
    seen["open"] = [fd for fd in seen["open"] if fd != into]
    return seen


def test_the_new_server_gets_the_sockets_and_nothing_else(listeners, tmp_path):
    seen = told(listeners, tmp_path, MARK="x")
    fd = listeners[0].fileno()
    assert seen["GUNICORN_PID"] == str(os.getpid())
    assert seen["ppid"] == os.getpid()
    assert seen["GUNICORN_FD"] == str(fd)
    assert fd in seen["open"]
    assert seen["LISTEN_FDS"] is None
    assert seen["MARK"] == "x"
    assert seen["argv"] == ["some", "words"]
    assert seen["cwd"] == str(tmp_path)


def test_no_signal_stays_blocked(listeners, tmp_path):
    assert told(listeners, tmp_path)["blocked"] == 0


def test_sockets_here_stay_closed_on_exec(listeners, tmp_path):
    told(listeners, tmp_path)
    assert not os.get_inheritable(listeners[0].fileno())


def test_sockets_of_the_service_manager_go_on_as_such(tmp_path):
    """In a process of its own: the protocol starts at descriptor 3."""
    code = f"""
import os, socket, sys
sys.path.insert(0, {os.getcwd()!r})
sock = socket.create_server(("127.0.0.1", 0))
low = sock.detach()
os.dup2(low, 3)
if low != 3: os.close(low)
from gunicorn.net.listeners import ListenOptions, adopt
from gunicorn.supervisor.upgrade import Origin, launch
listener = adopt(3, ListenOptions(), owned=False)
show = ("from os import environ as e, getpid; "
        "print(e['LISTEN_FDS'], e['LISTEN_PID'] == str(getpid()), 'GUNICORN_FD' in e)")
pid = launch(Origin(sys.executable, [sys.executable, "-c", show], {str(tmp_path)!r}, {{}}), [listener])
os.waitpid(pid, 0)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "True", "False"]


def test_a_descriptor_of_the_command_line_keeps_its_number(tmp_path):
    sock = socket.create_server(("127.0.0.1", 0))
    fd = sock.detach()
    listener = adopt(fd, OPTIONS, owned=False, bind=parse_bind(f"fd://{fd}"))
    seen = told([listener], tmp_path)
    assert fd in seen["open"]
    assert seen["GUNICORN_FD"] is None
    assert seen["LISTEN_FDS"] is None
    listener.close()


def test_a_program_that_cannot_be_run_is_an_exit_status(listeners, tmp_path, capfd):
    pid = launch(Origin("/nonexistent/python", ["python"], str(tmp_path), {}), listeners)
    _, raw = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(raw) == 1
    assert "FileNotFoundError" in capfd.readouterr().err


def environ_of_upgrade(*fds):
    return {"GUNICORN_PID": str(os.getppid()), "GUNICORN_FD": ",".join(map(str, fds))}


def test_inherited_listeners(listeners):
    fd = os.dup(listeners[0].fileno())
    environ = environ_of_upgrade(fd)
    (found,) = inherited(environ, OPTIONS)
    assert found.owned
    assert found.address == listeners[0].address
    assert "GUNICORN_FD" not in environ
    found.close()


def test_variables_of_somebody_elses_upgrade_are_ignored(listeners):
    environ = {"GUNICORN_PID": "1234567", "GUNICORN_FD": str(listeners[0].fileno())}
    assert inherited(environ, OPTIONS) == []
    assert predecessor(environ) == 0


@pytest.mark.parametrize("text", ["", "x", "-1", "0"])
def test_a_pid_that_is_none_is_no_predecessor(text):
    assert predecessor({"GUNICORN_PID": text}) == 0


def test_what_is_no_listener_is_refused():
    out, into = os.pipe()
    with pytest.raises(ListenError):
        inherited(environ_of_upgrade(out), OPTIONS)
    os.close(out)
    os.close(into)


def test_lent_listeners_are_not_ours(monkeypatch):
    sock = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr("gunicorn.host.systemd.LISTEN_FDS_START", sock.fileno())
    (found,) = lent({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}, OPTIONS)
    assert not found.owned
    sock.detach()
    found.close()


def test_without_variables_nothing_is_lent_or_inherited():
    assert lent({}, OPTIONS) == []
    assert inherited({}, OPTIONS) == []


def test_the_origin_has_none_of_our_own_variables(monkeypatch):
    for name in ("GUNICORN_PID", "GUNICORN_FD", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 2")
    origin = Origin.capture()
    assert origin.environment["GUNICORN_CMD_ARGS"] == "--workers 2"
    assert not set(upgrade._OURS) & set(origin.environment)
    assert origin.arguments[0] == origin.executable == sys.executable


def test_the_origin_follows_a_symbolic_link(tmp_path, monkeypatch):
    release, current = tmp_path / "release-1", tmp_path / "current"
    release.mkdir()
    current.symlink_to(release)
    monkeypatch.chdir(current)
    monkeypatch.setenv("PWD", str(current))
    assert Origin.capture().directory == str(current)


@pytest.mark.parametrize("pwd", ["", "relative", "/", "/nonexistent"])
def test_a_pwd_that_is_somewhere_else_is_not_believed(tmp_path, monkeypatch, pwd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", pwd)
    assert os.path.samefile(Origin.capture().directory, tmp_path)


def test_a_vigil_ends_when_the_process_does():
    gate_out, gate_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(gate_out, 1)
        os._exit(0)
    vigil = Vigil(pid, getppid=lambda: 1 if select.select([vigil.fd], [], [], 0)[0] else pid)
    if vigil.fd < 0:
        pytest.skip("this system has no pidfd_open")
    assert not vigil.over()
    os.write(gate_in, b"x")
    assert select.select([vigil.fd], [], [], 10)[0]
    assert vigil.over()
    vigil.close()
    assert vigil.fd == -1
    os.waitpid(pid, 0)
    os.close(gate_out)
    os.close(gate_in)


def test_a_vigil_for_one_who_has_left_already_is_over():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    vigil = Vigil(pid, getppid=lambda: 1)
    assert vigil.fd == -1
    assert vigil.over()
    vigil.close()


def test_a_listener_survives_the_hand_over(listeners, tmp_path):
    """The same socket: who connects before the hand-over is accepted after it."""
    client = socket.create_connection(listeners[0].address)
    fd = os.dup(listeners[0].fileno())
    taken: Listener = adopt(fd, OPTIONS, owned=True)
    select.select([taken], [], [], 10)
    accepted, _ = taken.accept()
    accepted.close()
    client.close()
    taken.close()
