"""The arbiter in a process of its own: what only the whole can show."""

import os
import signal
import socket
import textwrap

import pytest

from tests.support.processes import eventually
from tests.support.server import Server, free_port, run_gunicorn


@pytest.fixture
def notify(tmp_path, monkeypatch):
    """What a service manager would hear."""
    path = str(tmp_path / "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    sock.settimeout(10)
    yield path, lambda: dict(line.split("=", 1) for line in sock.recv(4096).decode().splitlines())
    sock.close()


def test_the_service_manager_hears_of_every_step(notify):
    path, heard = notify
    with Server(env={"NOTIFY_SOCKET": path}) as server:
        assert heard()["READY"] == "1"
        server.signal(signal.SIGHUP)
        assert heard()["RELOADING"] == "1"
        assert heard()["READY"] == "1"
        assert server.stop() == 0
        assert heard()["STOPPING"] == "1"


def test_the_watchdog_is_fed(notify):
    path, heard = notify
    with Server(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}):
        for _ in range(3):
            eventually(lambda: heard().get("WATCHDOG") == "1", "a sign of life")


def test_a_reload_moves_to_another_address(tmp_path):
    first, second = free_port(), free_port()
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(f"bind = '127.0.0.1:{first}'\n")
    with Server("tests.apps.hello:app", cwd=tmp_path, bind=None, address=("127.0.0.1", first)) as server:
        config.write_text(f"bind = '127.0.0.1:{second}'\n")
        server.signal(signal.SIGHUP)
        server.wait_log(f"Listening at: http://127.0.0.1:{second}")
        eventually(lambda: connects(second) and not connects(first), "the old address is closed, the new one open")


def connects(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return bool(sock.recv(1))
    except OSError:
        return False


def test_a_reload_with_a_taken_port_changes_nothing(tmp_path):
    port, config = free_port(), tmp_path / "gunicorn.conf.py"
    config.write_text(f"bind = '127.0.0.1:{port}'\nworkers = 1\n")
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        Server("tests.apps.hello:app", cwd=tmp_path, bind=None, address=("127.0.0.1", port)) as server,
    ):
        before = server.wait_workers(1)
        config.write_text(f"bind = '127.0.0.1:{other.getsockname()[1]}'\nworkers = 5\n")
        server.signal(signal.SIGHUP)
        assert "the port is taken" in server.wait_log("Reload refused")
        assert server.get("/").status == 200
        assert server.workers() == before
        config.write_text(f"bind = '127.0.0.1:{port}'\nworkers = 2\n")
        server.signal(signal.SIGHUP)
        eventually(lambda: len(server.workers()) == 2 and not set(before) & set(server.workers()), "the next reload")


@pytest.mark.parametrize("text", ["workers = 'many'\n", "import sys; sys.exit(3)\n", "workers = \n"])
def test_a_reload_with_a_broken_configuration_changes_nothing(tmp_path, text):
    config = tmp_path / "gunicorn.conf.py"
    with Server(cwd=tmp_path, config="workers = 1\n", tracebacks=True) as server:
        before = server.wait_workers(1)
        config.write_text(text)
        server.signal(signal.SIGHUP)
        server.wait_log("Reload refused")
        assert server.workers() == before
        assert server.get("/").status == 200


def test_hooks_that_fail_do_not_end_a_server_that_serves(tmp_path):
    config = textwrap.dedent("""
        def broken(*arguments):
            raise RuntimeError("hook")
        child_exit = nworkers_changed = on_reload = on_exit = broken
        def pre_exec(server):
            raise RuntimeError("hook")
        """)
    with Server(cwd=tmp_path, config=config, tracebacks=True) as server:
        server.signal(signal.SIGTTIN)
        server.wait_workers(2)
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_log("hook child_exit failed")
        server.signal(signal.SIGHUP)
        server.wait_log("hook on_reload failed")
        server.signal(signal.SIGUSR2)
        server.wait_log("The upgrade cannot begin")
        assert server.get("/").status == 200
        assert server.stop() == 0
        assert "hook on_exit failed" in server.log()


@pytest.mark.parametrize("hook", ["on_starting", "when_ready"])
def test_hooks_that_fail_before_there_is_a_server_end_it(tmp_path, hook):
    (tmp_path / "gunicorn.conf.py").write_text(f"def {hook}(server):\n    raise RuntimeError('hook')\n")
    ran = run_gunicorn("tests.apps.hello:app", "-b", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert ran.returncode == 1
    assert "RuntimeError: hook" in ran.stderr


def test_hooks_see_the_server(tmp_path):
    config = textwrap.dedent("""
        def when_ready(server):
            listener, = server.LISTENERS
            server.log.info("seen %s %s %s %s %s", server.pid, server.num_workers, server.cfg.workers, listener,
                            server.address)
        def nworkers_changed(server, new, old):
            server.log.info("changed %s from %s", new, old)
        def child_exit(server, worker):
            server.log.info("left %s of %s, %s stay", worker.pid, worker.ppid == server.pid, len(server.WORKERS))
        """)
    with Server("tests.apps.hello:app", "-w", "1", cwd=tmp_path, config=config) as server:
        server.wait_log(f"seen {server.pid} 1 1 http://127.0.0.1:{server.port} [('127.0.0.1', {server.port})]")
        server.wait_log("changed 1 from None")
        server.signal(signal.SIGTTIN)
        server.wait_log("changed 2 from 1")
        before = server.wait_workers(2)
        server.signal(signal.SIGTTOU)
        (kept,) = server.wait_workers(1)
        (left,) = set(before) - {kept}
        server.wait_log(f"left {left} of True, 1 stay")


def test_a_stop_while_waiting_for_a_port(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server("tests.apps.hello:app", bind=f"127.0.0.1:{port}", address=("127.0.0.1", port), ready=False)
        with server:
            server.wait_log("retrying in")
            assert server.stop() == 0


def test_preload_survives_reloads(tmp_path):
    with Server("tests.apps.hello:app", "--preload", "-w", "2") as server:
        before = server.wait_workers(2)
        server.signal(signal.SIGHUP)
        eventually(lambda: len(server.workers()) == 2 and not set(before) & set(server.workers()), "new workers")
        assert server.get("/").status == 200


def test_preload_of_a_broken_application_is_one_line_and_status_4():
    ran = run_gunicorn("no.such.module:app", "--preload", "-b", f"127.0.0.1:{free_port()}")
    assert ran.returncode == 4
    assert [line for line in ran.stderr.splitlines() if line.startswith("Error:")] != []
    assert "Traceback" not in ran.stderr


def test_raw_env_is_put_back_on_reload(tmp_path):
    (tmp_path / "shows.py").write_text(
        "import os\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [os.environ.get('MARK', 'none').encode()]\n"
    )
    config = tmp_path / "gunicorn.conf.py"
    with Server("shows:app", cwd=tmp_path, config="raw_env = ['MARK=one']\n") as server:
        assert server.get("/").text == "one"
        config.write_text("")
        before = server.workers()
        server.signal(signal.SIGHUP)
        eventually(lambda: server.workers() and not set(before) & set(server.workers()), "new workers")
        assert server.get("/").text == "none"


def test_an_abandoned_reload_restores_settings_and_keeps_serving(tmp_path):
    config = tmp_path / "gunicorn.conf.py"
    with Server(cwd=tmp_path, config="workers = 2\nmax_boot_failures = 1\n", tracebacks=True) as server:
        before = server.wait_workers(2)
        config.write_text(
            "workers = 4\nmax_boot_failures = 1\ndef post_fork(server, worker):\n    raise RuntimeError('no')\n"
        )
        server.signal(signal.SIGHUP)
        server.wait_log("is abandoned")
        assert set(before) <= set(server.workers())
        eventually(lambda: len(server.workers()) == 2, "two workers and nobody else")
        server.signal(signal.SIGTTIN)
        server.wait_workers(3)
        assert server.get("/").status == 200
        config.write_text("workers = 1\n")
        server.signal(signal.SIGHUP)
        eventually(lambda: len(server.workers()) == 1 and not set(before) & set(server.workers()), "the repaired one")


def test_statsd_hears_of_the_workers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(10)
        with Server("tests.apps.hello:app", "-w", "2", "--statsd-host", f"127.0.0.1:{sink.getsockname()[1]}") as server:
            eventually(lambda: b"gunicorn.workers:2|g" in sink.recv(4096), "the gauge of workers")
            server.signal(signal.SIGTTIN)
            eventually(lambda: b"gunicorn.workers:3|g" in sink.recv(4096), "one more")
