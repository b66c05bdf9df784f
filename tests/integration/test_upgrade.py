"""USR2: a new arbiter on the same sockets, the pid files' dance, roll back, and nobody notices."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from signal import SIGHUP, SIGQUIT, SIGTERM, SIGTTIN, SIGUSR2, SIGWINCH

import pytest

from tests.support.activation import activated
from tests.support.load import Load
from tests.support.processes import alive, children, eventually
from tests.support.server import Server, free_port


def pid_in(pidfile: Path) -> str:
    """What the file says, "" where there is none."""
    try:
        return pidfile.read_text().strip()
    except FileNotFoundError:
        return ""


class Upgraded:
    """A server with a pid file, and what an upgrade makes of it."""

    def __init__(self, server: Server, pidfile: Path) -> None:
        self.server = server
        self.pidfile = pidfile
        self.next = pidfile.with_name(pidfile.name + ".2")

    def upgrade(self) -> int:
        """Sends USR2; returns the pid of the new arbiter once its workers are there."""
        self.server.signal(SIGUSR2)
        eventually(lambda: self.next.exists() and self.next.read_text().strip(), "the second pid file", 15)
        pid = int(self.next.read_text())
        eventually(lambda: children(pid), "workers of the new arbiter")
        return pid

    def named(self) -> str:
        """The pid in the pid file; "" in the moment between the old owner's leaving and the new one's rename."""
        return pid_in(self.pidfile)

    def end(self, pid: int) -> None:
        if alive(pid):
            os.kill(pid, SIGQUIT)
            eventually(lambda: not alive(pid), "the new arbiter ends")


@pytest.fixture(params=["tcp", "unix"])
def upgraded(request, worker, deploy, tmp_path):
    pidfile = tmp_path / "pid"
    arguments = (*worker, "-w", "2", "--pid", str(pidfile))
    with Server(deploy.uri, *arguments, cwd=deploy.folder, bind=request.param) as server:
        deploy.wait_imports("v1", 2)
        eventually(pidfile.exists, "the pid file")
        helper = Upgraded(server, pidfile)
        yield helper
        for path in (helper.next, pidfile):
            if path.exists() and (pid := int(path.read_text())) != server.pid:
                helper.end(pid)


@pytest.mark.parametrize("keep_alive", [True, False])
def test_upgrade_under_load(upgraded, deploy, keep_alive):
    """Kept connections stay with the old arbiter until it ends; new ones are shared at once."""
    server = upgraded.server
    with Load(server.connect, connections=6, keep_alive=keep_alive) as load:
        load.progress(50)
        deploy.version("v2")
        new = upgraded.upgrade()
        assert upgraded.pidfile.read_text().strip() == str(server.pid)
        if not keep_alive:
            load.answered_by("v2")
        server.signal(SIGTERM)
        assert server.wait() == 0
        load.answered_by("v2")
        eventually(lambda: upgraded.named() == str(new), "the new arbiter takes the pid file over")
        assert not upgraded.next.exists()
        load.progress(50)
        load.assert_clean()
    assert server.get().text.startswith("v2")
    upgraded.end(new)


def test_roll_back_under_load(upgraded, deploy):
    """The new one disappoints: stop it, and the old one serves as before."""
    server = upgraded.server
    with Load(server.connect, connections=6, keep_alive=False) as load:
        load.progress(50)
        deploy.version("v2")
        new = upgraded.upgrade()
        load.answered_by("v2")
        os.kill(new, SIGTERM)
        eventually(lambda: not alive(new), "the new arbiter ends")
        load.progress(50)
        load.assert_clean()
    assert server.get().text.startswith("v1")
    eventually(lambda: not upgraded.next.exists(), "the second pid file is gone")
    assert upgraded.pidfile.read_text().strip() == str(server.pid)
    server.signal(SIGTTIN)
    server.wait_workers(3)


def test_an_upgrade_that_cannot_boot_leaves_the_old_one(upgraded, deploy):
    server = upgraded.server
    server._tracebacks = True
    deploy.source("raise RuntimeError('bad release')\n")
    with Load(server.connect, connections=4) as load:
        server.signal(SIGUSR2)
        server.wait_log("bad release")
        eventually(lambda: len(server.workers()) == 2, "only the old workers are left", 15)
        load.progress(50)
        tally = load.assert_clean()
    assert set(tally.answers) == {"v1"}
    assert not upgraded.next.exists()
    deploy.version("v3")
    new = upgraded.upgrade()
    server.signal(SIGTERM)
    assert server.wait() == 0
    assert server.get().text.startswith("v3")
    upgraded.end(new)


def test_a_second_usr2_while_the_first_is_under_way_is_refused(upgraded, deploy):
    server = upgraded.server
    new = upgraded.upgrade()
    server.signal(SIGUSR2)
    server.signal(SIGTTIN)
    eventually(lambda: len(server.workers()) == 4, "two workers, one more, and one new arbiter")
    assert upgraded.next.read_text().strip() == str(new)
    upgraded.end(new)


def test_the_new_arbiter_obeys_signals(upgraded, deploy):
    server = upgraded.server
    new = upgraded.upgrade()
    server.signal(SIGTERM)
    assert server.wait() == 0
    deploy.version("v2")
    os.kill(new, SIGHUP)
    eventually(lambda: server.get().text.startswith("v2"), "reloaded by the new arbiter")
    third = _upgrade_again(upgraded, new)
    upgraded.end(third)
    upgraded.end(new)


def _upgrade_again(upgraded: Upgraded, pid: int) -> int:
    eventually(lambda: not upgraded.next.exists() and upgraded.named() == str(pid), "renamed")
    os.kill(pid, SIGUSR2)
    eventually(lambda: upgraded.next.exists() and upgraded.next.read_text().strip(), "the next pid file", 15)
    return int(upgraded.next.read_text())


FORMS = ["tls", "reuse-port", "abstract", "ipv6", "preload", "several"]


@pytest.mark.parametrize("form", FORMS)
def test_two_upgrades_in_a_row(form):
    """Whatever the sockets are, the grandchild serves on them too."""
    port, other = free_port(), free_port()
    bind, address, arguments = "tcp", ("127.0.0.1", port), ()
    if form == "abstract":
        bind, address = "unix:@gunicorn-upgrade-test", "@gunicorn-upgrade-test"
    elif form == "ipv6":
        bind, address = f"[::1]:{port}", ("::1", port)
    else:
        arguments = {
            "reuse-port": ("--reuse-port",),
            "preload": ("--preload",),
            "several": ("-b", f"127.0.0.1:{other}"),
        }
        arguments = arguments.get(form, ())
    with Server("tests.apps.hello:app", *arguments, bind=bind, address=address, tls=form == "tls") as server:
        assert server.get().status == 200
        second = successor(server.pid)
        server.signal(SIGTERM)
        assert server.wait() == 0
        assert server.get().status == 200
        third = successor(second)
        os.kill(second, SIGTERM)
        eventually(lambda: not alive(second), "the second arbiter ends")
        assert server.get().status == 200
        os.kill(third, SIGQUIT)
        eventually(lambda: not alive(third), "the third arbiter ends")


def successor(pid: int) -> int:
    """Upgrades the arbiter `pid`; returns the new one once it has a worker."""
    known = set(children(pid))
    os.kill(pid, SIGUSR2)
    return eventually(lambda: [p for p in children(pid) if p not in known and children(p)], "a new arbiter", 15)[0]


def test_sockets_of_systemd_are_handed_on(worker, deploy):
    """LISTEN_FDS is for the first process only; its successor gets the sockets all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener, activated(listener, *worker) as server:
        server.get()
        fresh = successor(server.pid)
        server.signal(SIGTERM)
        assert server.wait() == 0
        assert server.get().status == 200
        os.kill(fresh, SIGQUIT)
        eventually(lambda: not alive(fresh), "the new arbiter ends")


@pytest.mark.slow
def test_winch_retires_the_workers_of_a_daemon(tmp_path, deploy):
    """The classic upgrade: USR2, WINCH to the old daemon, look, then HUP (back) or QUIT (on)."""
    pidfile = tmp_path / "pid"
    arguments = ("--daemon", "-w", "2", "--pid", str(pidfile), "--error-logfile", str(tmp_path / "log"))
    with Server(deploy.uri, *arguments, cwd=deploy.folder, ready=False) as server:
        assert server.wait() == 0
        second = pidfile.with_name("pid.2")
        old = int(eventually(lambda: pidfile.exists() and pidfile.read_text().strip(), "the pid file"))
        try:
            eventually(lambda: len(children(old)) == 2, "two workers")
            deploy.version("v2")
            os.kill(old, SIGUSR2)
            new = int(eventually(lambda: second.exists() and second.read_text().strip(), "the second pid file", 15))
            eventually(lambda: len(children(new)) == 2, "two new workers")
            os.kill(old, SIGWINCH)
            eventually(lambda: children(old) == [new], "the old arbiter keeps no workers")
            assert {server.get().text.split()[0] for _ in range(5)} == {"v2"}
            os.kill(old, SIGHUP)
            eventually(lambda: len(children(old)) == 3, "HUP brings the old workers back")
            os.kill(old, SIGQUIT)
            eventually(lambda: not alive(old), "the old daemon ends")
            assert server.get().text.startswith("v2")
            old = new
            eventually(lambda: not second.exists() and pid_in(pidfile) == str(new), "the pid file's new owner")
        finally:
            for pid in {old, *(int(p.read_text()) for p in (pidfile, second) if p.exists())}:
                if alive(pid):
                    os.kill(pid, SIGQUIT)
                    eventually(lambda pid=pid: not alive(pid), "the daemon ends")
