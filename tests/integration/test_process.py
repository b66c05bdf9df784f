"""The process itself: daemon, pid file, folders, environment, users, preload, strangers."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, SIGUSR1

import pytest

from tests.support.processes import alive, children, consistently, cpu_seconds, eventually, inspect, open_files
from tests.support.server import Server
from tests.support.twins import both

HELLO = "tests.apps.hello:app"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def test_daemon(worker, tmp_path):
    pidfile, log = tmp_path / "pid", tmp_path / "log"
    arguments = ("--daemon", "--pid", str(pidfile), "--error-logfile", str(log))
    with Server(HELLO, *worker, *arguments, ready=False) as server:
        assert server.wait() == 0
        pid = int(eventually(lambda: pidfile.exists() and pidfile.read_text().strip(), "the pid file"))
        try:
            eventually(lambda: children(pid), "a worker")
            assert server.get().status == 200
            found = inspect(pid)
            assert found is not None
            assert found.session != server.pid, "a session of its own"
            assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
            assert not [name for name in open_files(pid) if name == str(server.log_path)], "the terminal is let go"
            assert "Listening at" in log.read_text()
        finally:
            os.kill(pid, SIGTERM)
            eventually(lambda: not alive(pid), "the daemon ends")
        assert not pidfile.exists()


def test_pidfile(worker, tmp_path):
    pidfile = tmp_path / "pid"
    with Server(HELLO, *worker, "--pid", str(pidfile)) as server:
        server.get()
        assert pidfile.read_text().strip() == str(server.pid)
        assert server.stop(SIGTERM) == 0
        assert not pidfile.exists()


def test_chdir_is_where_relative_names_begin(worker, deploy):
    with Server(deploy.uri, *worker, "--chdir", str(deploy.folder), "--error-logfile", "relative.log") as server:
        assert server.get().text.startswith("v1")
        assert (deploy.folder / "relative.log").exists()
        assert os.readlink(f"/proc/{server.workers()[0]}/cwd") == str(deploy.folder)


def test_pythonpath(tmp_path, deploy):
    (tmp_path / "elsewhere").mkdir()
    with Server(deploy.uri, "--pythonpath", f"{tmp_path}/elsewhere,{deploy.folder}") as server:
        assert server.get().text.startswith("v1")


def test_the_current_folder_is_on_the_path(deploy):
    with Server(deploy.uri, cwd=deploy.folder) as server:
        assert server.get().text.startswith("v1")


def test_raw_env(deploy):
    deploy.page("return VALUE.encode()", before="import os\nVALUE = os.environ['COLOUR'] + os.environ['OTHER']")
    with Server(deploy.uri, "--env", "COLOUR=blue=1", "-e", "OTHER=x", cwd=deploy.folder) as server:
        assert server.get().text == "blue=1x"


@AS_ROOT
def test_user_and_group(worker, tmp_path):
    nobody = pwd.getpwnam("nobody")
    with Server(HELLO, *worker, "--user", "nobody", "--group", str(nobody.pw_gid)) as server:
        server.get()
        (child,) = server.workers()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert Path(f"/proc/{server.pid}/status").stat().st_uid == 0


@AS_ROOT
def test_a_reload_as_another_user(worker):
    with Server(HELLO, *worker, "--user", "nobody") as server:
        (old,) = server.wait_workers(1)
        server.get()
        server.signal(SIGUSR1)
        server.signal(SIGHUP)
        eventually(lambda: server.workers() and old not in server.workers(), "a new worker")
        server.wait_workers(1)
        assert server.get().status == 200


def test_preload_imports_once(worker, tmp_path):
    before = "import os\nopen('imports', 'a').write(f'{os.getpid()}\\n')"
    (tmp_path / "mine.py").write_text(both("return b'ok'", before))
    with Server("mine:app", *worker, "--preload", "-w", "3", cwd=tmp_path) as server:
        server.wait_workers(3)
        server.get()
        assert (tmp_path / "imports").read_text() == f"{server.pid}\n"
        server.signal(SIGKILL, server.workers()[0])
        server.wait_workers(3)
        assert (tmp_path / "imports").read_text() == f"{server.pid}\n"


def test_workers_inherit_no_descriptors_of_the_arbiter(worker):
    """Pipes of siblings kept open would hide the death of a child."""
    with Server(HELLO, *worker, "-w", "4") as server:
        pids = server.wait_workers(4)
        server.get()

        def shared() -> list[str]:
            pipes = [name for pid in pids for name in set(open_files(pid)) if name.startswith("pipe:")]
            return [name for name in pipes if pipes.count(name) > 1]

        # A child that was forked this moment still has to close what is not its own.
        eventually(lambda: not shared(), lambda: f"no pipe in two workers: {shared()}")


def test_nothing_is_written_to_disk_for_heartbeats(worker, tmp_path):
    with Server(HELLO, *worker, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}) as server:
        server.get()
        for pid in [server.pid, *server.workers()]:
            assert not [name for name in open_files(pid) if "(deleted)" in name and name.startswith("/tmp")]
        assert list(tmp_path.iterdir()) == []


def test_no_thread_in_the_arbiter(worker):
    with Server(HELLO, *worker, "-w", "2") as server:
        server.get()
        assert len(os.listdir(f"/proc/{server.pid}/task")) == 1


def test_an_idle_server_sleeps(worker):
    """No tick that burns: an idle tree uses next to no processor time."""
    with Server(HELLO, *worker, "-w", "2") as server:
        server.get()
        pids = [server.pid, *server.wait_workers(2)]
        before = sum(map(cpu_seconds, pids))
        consistently(lambda: server.process.poll() is None, "it runs", 3.0)
        assert sum(map(cpu_seconds, pids)) - before < 0.1


ADOPT = """
import ctypes, os, sys
# A subreaper gets the orphans of its descendants, as PID 1 of a container does.
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *sys.argv[1:]])
"""
ORPHANS = """
for code in (0, 1, 3, 4):
    if os.fork() == 0:
        # The middle process goes at once: its child is an orphan and falls to the arbiter.
        if os.fork() == 0:
            time.sleep(0.2)
            os._exit(code)
        os._exit(0)
    os.wait()
return b"orphans made"
"""


def test_foreign_children_are_reaped_in_silence(worker, deploy):
    """As PID 1 the arbiter inherits strangers, also such as exit with 3 or 4: no boot failures of ours."""
    deploy.page(ORPHANS, before="import os, time")
    with Server(deploy.uri, *worker, cwd=deploy.folder, command=[sys.executable, "-c", ADOPT]) as server:
        (mine,) = server.wait_workers(1)
        for _ in range(5):
            assert server.get().text == "orphans made"
        eventually(lambda: children(server.pid) == [mine], "only the worker is left")
        consistently(lambda: children(server.pid) == [mine], "and it stays", 0.5)
        zombies = [
            p
            for p in os.listdir("/proc")
            if p.isdigit() and (found := inspect(int(p))) and found.parent == server.pid and not found.alive
        ]
        assert zombies == []
        text = server.log().lower()
        assert "error" not in text
        assert "warning" not in text
        assert server.get().status == 200


def test_a_child_the_application_started_is_its_own_matter(worker, deploy):
    """subprocess in a worker works: nobody reaps its child away."""
    deploy.page(
        "done = subprocess.run([sys.executable, '-c', 'raise SystemExit(5)'])\nreturn str(done.returncode).encode()",
        before="import subprocess, sys",
    )
    with Server(deploy.uri, *worker, cwd=deploy.folder) as server:
        assert server.get().text == "5"


def test_the_signal_mask_of_workers_is_clean(worker):
    with Server(HELLO, *worker) as server:
        server.get()
        for pid in server.workers():
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            assert int(status["SigBlk"], 16) == 0


def test_boot_crash_loop_backs_off(tmp_path):
    """A worker that served once and then keeps dying is restarted ever more slowly, not a thousand times a second."""
    (tmp_path / "mine.py").write_text(
        both(
            "return b'ok'",
            "import os\nfirst = not os.path.exists('flag')\nopen('flag', 'w').close()\n"
            "if not first:\n    raise RuntimeError('second boot fails')\n",
        )
    )
    with Server("mine:app", "-w", "1", cwd=tmp_path, tracebacks=True) as server:
        assert server.get().status == 200
        server.signal(SIGKILL, server.workers()[0])
        server.wait_log("second boot fails")
        consistently(lambda: server.process.poll() is None, "the arbiter tries on", 2.0)
        boots = server.log().lower().count("booting worker")
        assert 2 <= boots < 12
