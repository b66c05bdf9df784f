"""HUP: a new generation serves before the old one goes, or the old one stays."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from tests.support.client import Response, Session, get
from tests.support.load import Load
from tests.support.processes import alive, consistently, eventually, open_files, threads
from tests.support.server import Server, free_port


@pytest.mark.parametrize("keep_alive", [True, False])
def test_hup_under_load_fails_no_request(worker, deploy, keep_alive):
    with Server(deploy.uri, *worker, "-w", "2", cwd=deploy.folder) as server:
        deploy.wait_imports("v1", 2)
        with Load(server.connect, connections=6, keep_alive=keep_alive) as load:
            load.progress(100)
            for number in range(2, 6):
                deploy.version(f"v{number}")
                server.signal(SIGHUP)
                load.answered_by(f"v{number}")
                load.progress(50)
            tally = load.assert_clean()
        assert set(tally.answers) == {"v1", "v2", "v3", "v4", "v5"}
        server.wait_workers(2)


def test_a_slow_import_makes_no_gap(worker, deploy):
    """The old generation answers until the new one is ready: here for two seconds."""
    with Server(deploy.uri, *worker, "-w", "2", cwd=deploy.folder) as server:
        deploy.wait_imports("v1", 2)
        server.get()
        deploy.version("v2", boot=2.0)
        with Load(server.connect, connections=4, keep_alive=False) as load:
            load.progress(50)
            server.signal(SIGHUP)
            load.answered_by("v2")
            tally = load.assert_clean()
        assert tally.answers["v1"] > 100
        assert tally.slowest < 1.5


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("def app(:\n", "SyntaxError"),
        ("import no_such_module_of_ours\n", "no_such_module_of_ours"),
        ("raise RuntimeError('no database')\n", "no database"),
        ("application = None\n", "app"),
    ],
)
def test_a_broken_deploy_keeps_the_old_generation(worker, deploy, source, named):
    with Server(deploy.uri, *worker, "-w", "2", cwd=deploy.folder, tracebacks=True) as server:
        old = server.wait_workers(2)
        deploy.wait_imports("v1", 2)
        assert server.get().text.startswith("v1")
        deploy.source(source)
        with Load(server.connect, connections=4) as load:
            load.progress(50)
            server.signal(SIGHUP)
            server.wait_log(named)
            server.wait_workers(2, 20)
            eventually(lambda: server.workers() == old, "the old workers, and only they", 20)
            consistently(lambda: server.process.poll() is None, "the arbiter lives", 0.5)
            load.progress(50)
            tally = load.assert_clean()
        assert set(tally.answers) == {"v1"}
        deploy.version("v3")
        server.signal(SIGHUP)
        eventually(lambda: server.get().text.startswith("v3"), "the repaired release")
        server.wait_workers(2)


def test_hup_while_a_reload_is_under_way(worker, deploy):
    """The newest code wins, whatever was still booting."""
    with Server(deploy.uri, *worker, "-w", "2", cwd=deploy.folder) as server:
        deploy.wait_imports("v1", 2)
        server.get()
        with Load(server.connect, connections=4) as load:
            deploy.version("v2", boot=0.7)
            server.signal(SIGHUP)
            eventually(lambda: len(server.workers()) > 2, "the second generation boots")
            deploy.version("v3", boot=0.1)
            server.signal(SIGHUP)
            load.answered_by("v3")
            server.wait_workers(2)
            load.progress(50)
            load.assert_clean()
        assert server.get().text.startswith("v3")


def answer_over_a_reload(worker: tuple[str, ...], mark: Path) -> tuple[int, Response, Response]:
    """The old pid, the answer to a request that was running when HUP came, and the next one on that connection."""
    with Server("tests.apps.slow:app", *worker) as server, Session(server.connect) as client:
        (old,) = server.wait_workers(1)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(client.request, "GET", f"/?s=1&mark={mark}")
            eventually(mark.exists, "the request runs")
            server.signal(SIGHUP)
            eventually(lambda: set(server.workers()) - {old}, "a new worker")
            first = running.result(10)
        second = client.request("GET", "/fast")
        eventually(lambda: not alive(old), "the old worker ends")
    return old, first, second


def test_hup_lets_a_running_request_end(worker, tmp_path):
    old, first, second = answer_over_a_reload(worker, tmp_path / "mark")
    assert (first.status, first.text) == (200, f"{old} slow\n")
    assert second.status == 200


def test_the_answer_of_a_leaving_worker_says_close(worker, tmp_path):
    """The client must not send its next request to a worker that is about to go."""
    _, first, _ = answer_over_a_reload(worker, tmp_path / "mark")
    assert not first.keeps_alive


def test_reloads_while_an_old_generation_still_drains(worker, tmp_path):
    """Three generations at once: the first finishes its request while two others come and go."""
    with Server("tests.apps.slow:app", *worker) as server, server.connect() as connection:
        (old,) = server.wait_workers(1)
        connection.send_request("GET", f"/?s=1.5&mark={tmp_path / 'mark'}")
        eventually((tmp_path / "mark").exists, "the request runs")
        for count in (2, 3, 4):
            server.signal(SIGHUP)
            server.wait_log("booting worker", count=count)
            eventually(lambda: server.get("/fast").status == 200, "an answer")
        response = connection.read_response()
        assert (response.status, response.text) == (200, f"{old} slow\n")
        server.wait_workers(1)
        assert old not in server.workers()


def test_a_reload_never_waits_for_a_long_request_of_a_generation_before_the_last(worker, tmp_path):
    """One worker, a request of 20 seconds, two reloads a second apart: the second overtakes it, and the log says so."""
    options = ("-w", "1", "--graceful-timeout", "30")
    with Server("tests.apps.slow:app", *worker, *options) as server, server.connect() as connection:
        (first,) = server.wait_workers(1)
        connection.send_request("GET", f"/?s=20&mark={tmp_path / 'mark'}")
        eventually((tmp_path / "mark").exists, "the request runs")
        server.signal(SIGHUP)
        second = eventually(lambda: server.serving("/fast") - {first}, "the second generation")
        time.sleep(1)
        assert alive(first)
        server.signal(SIGHUP)
        eventually(lambda: server.serving("/fast") - {first} - second, "the third generation", 6)
        server.wait_workers(1)
        assert f"(pid:{first}) shall leave at once: a newer generation needs its place" in server.log()
        assert "in flight 'GET /?s=20" in server.log()


def test_a_row_of_reloads_loses_no_short_request(worker):
    """Half a second of work, one worker, a reload before the last one has left: each has the time to end."""
    with Server("tests.apps.slow:app", *worker, "-w", "1") as server:
        server.wait_workers(1)
        with Load(server.connect, connections=2, keep_alive=False, target="/?s=0.5") as load:
            for count in range(2, 8):
                server.signal(SIGHUP)
                server.wait_log("booting worker", count=count)
                load.progress(1)
            tally = load.assert_clean()
        assert len(tally.answers) > 3
        server.wait_workers(1)
        assert "shall leave at once" not in server.log()


def test_hup_finishes_a_request_that_is_still_arriving(worker):
    with Server("tests.apps.echo:app", *worker) as server, server.connect() as connection:
        (old,) = server.wait_workers(1)
        assert server.get().status == 200
        connection.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n01234")
        assert server.get().status == 200
        server.signal(SIGHUP)
        eventually(lambda: str(old) not in server.get().text.rpartition('"pid"')[2], "the new worker answers")
        connection.send(b"56789")
        response = connection.read_response()
        assert response.status == 200
        assert f'"pid": {old}' in response.text
        eventually(lambda: not alive(old), "the old worker ends")


def test_hup_reads_the_configuration_again(deploy):
    with Server(deploy.uri, cwd=deploy.folder, config="workers = 1\n") as server:
        server.wait_workers(1)
        (deploy.folder / "gunicorn.conf.py").write_text("workers = 3\nraw_env = ['CHANGED=1']\n")
        server.signal(SIGHUP)
        server.wait_workers(3)
        (deploy.folder / "gunicorn.conf.py").write_text("workers = 1\n")
        server.signal(SIGHUP)
        server.wait_workers(1)
        assert server.get().status == 200


def test_ttin_is_forgotten_by_hup_or_kept_but_never_less_than_configured(deploy):
    with Server(deploy.uri, cwd=deploy.folder, config="workers = 2\n") as server:
        server.wait_workers(2)
        server.signal(SIGHUP)
        eventually(lambda: server.log().lower().count("booting worker") >= 4, "the second generation")
        server.wait_workers(2)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("workers = \n", "gunicorn.conf.py"),
        ("workers = 'many'\n", "workers"),
        ("raise RuntimeError('no secrets')\n", "no secrets"),
        ("bind = 'unix:/no/such/folder/sock'\n", "/no/such/folder"),
        ("certfile = '/no/such/file'\n", "/no/such/file"),
    ],
)
def test_a_broken_configuration_keeps_everything(deploy, text, named):
    # The address comes from the file here: an address on the command line would hide the broken one.
    port = free_port()
    good = f"workers = 2\nbind = '127.0.0.1:{port}'\n"
    with Server(
        deploy.uri, cwd=deploy.folder, config=good, bind=None, address=("127.0.0.1", port), tracebacks=True
    ) as server:
        old = server.wait_workers(2)
        assert server.get().status == 200
        (deploy.folder / "gunicorn.conf.py").write_text(text)
        server.signal(SIGHUP)
        server.wait_log(named)
        assert server.get().text.startswith("v1")
        assert server.process.poll() is None
        eventually(lambda: server.workers() == old, "the old workers")
        (deploy.folder / "gunicorn.conf.py").write_text(good)
        server.signal(SIGHUP)
        eventually(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(old), "new workers")
        assert server.get().status == 200


def test_hup_moves_to_a_new_address(worker, deploy):
    """Who reached the old address is answered; it is closed without a reset, and then refuses."""
    first, second = free_port(), free_port()
    config = "bind = ['127.0.0.1:{}']\nworkers = 2\n"
    with Server(
        deploy.uri, *worker, cwd=deploy.folder, config=config.format(first), bind=None, address=("127.0.0.1", first)
    ) as server:
        deploy.wait_imports("v1", 2)
        (deploy.folder / "gunicorn.conf.py").write_text(config.format(second))
        with Load(lambda: server.connect(1.0), connections=6, keep_alive=False, pace=0) as load:
            load.progress(100)
            server.signal(SIGHUP)
            eventually(lambda: load.tally.failed > 50, "the old address is given up")
            tally = load.finish()
        unlike = [text for text in tally.failures if "Refused" not in text and "Timeout" not in text]
        assert not unlike, unlike
        assert get(("127.0.0.1", second)).status == 200


def test_hup_keeps_the_listening_sockets(deploy):
    """The queue of the listener survives: a connection made while nobody accepts is answered later."""
    with Server(deploy.uri, "-w", "1", cwd=deploy.folder) as server:
        server.get()
        before = {name for name in open_files(server.pid) if name.startswith("socket:")}
        deploy.version("v2")
        server.signal(SIGHUP)
        eventually(lambda: server.get().text.startswith("v2"), "the new version")
        assert before <= {name for name in open_files(server.pid) if name.startswith("socket:")}


def test_hup_reloads_the_logging_configuration(deploy):
    logs = deploy.folder / "logs"
    logs.mkdir()
    config = "errorlog = 'logs/{}.log'\naccesslog = 'logs/{}.access'\n"
    with Server(deploy.uri, cwd=deploy.folder, config=config.format("one", "one")) as server:
        server.get()
        (deploy.folder / "gunicorn.conf.py").write_text(config.format("two", "two"))
        server.signal(SIGHUP)
        eventually((logs / "two.log").exists, "the new error log")

        def line() -> bool:
            server.get("/two")
            return (logs / "two.access").exists() and "/two" in (logs / "two.access").read_text()

        eventually(line, "access lines in the new file")


def test_an_invalid_logging_configuration_is_rolled_back(deploy):
    good = "errorlog = 'good.log'\n"
    with Server(deploy.uri, cwd=deploy.folder, config=good, tracebacks=True) as server:
        server.get()
        bad = (
            "errorlog = 'good.log'\nlogconfig_dict = {'version': 1, 'handlers': {'x': {'class': 'no.such.Handler'}}}\n"
        )
        (deploy.folder / "gunicorn.conf.py").write_text(bad)
        server.signal(SIGHUP)
        log = deploy.folder / "good.log"
        eventually(lambda: "ERROR" in log.read_text(), "one error line in the old log")
        assert server.get().text.startswith("v1")
        (deploy.folder / "gunicorn.conf.py").write_text(good)
        deploy.version("v2")
        server.signal(SIGHUP)
        eventually(lambda: server.get().text.startswith("v2"), "the next reload works")


@pytest.mark.slow
def test_fifty_reloads_leak_nothing(worker, deploy):
    with Server(deploy.uri, *worker, "-w", "1", cwd=deploy.folder) as server:
        server.get()

        def reload(number: int) -> None:
            deploy.version(f"v{number}")
            server.signal(SIGHUP)
            eventually(lambda: server.get().text.startswith(f"v{number} "), f"v{number}")
            server.wait_workers(1)

        for number in range(2, 7):
            reload(number)
        arbiter, count = open_files(server.pid), threads(server.pid)
        child = open_files(server.workers()[0])
        for number in range(7, 52):
            reload(number)
        server.get()
        assert len(open_files(server.pid)) == len(arbiter), (arbiter, open_files(server.pid))
        assert threads(server.pid) == count == 1
        eventually(
            lambda: len(open_files(server.workers()[0])) <= len(child) + 1,
            f"descriptors of the child stay {child}; {open_files(server.workers()[0])}",
            3,
        )


@pytest.mark.parametrize("engine", ["poll", "inotify", "auto"])
def test_reload_on_code_change(worker, deploy, engine):
    with Server(deploy.uri, *worker, "--reload", "--reload-engine", engine, cwd=deploy.folder) as server:
        assert server.get().text.startswith("v1")
        # Coarse file times: a change within the same tick of the clock may not be seen by comparison.
        time.sleep(1.1)
        deploy.version("version-2")
        eventually(lambda: server.get().text.startswith("version-2"), "the changed code", 15)


def test_reload_survives_broken_code(worker, deploy):
    """A typo while developing: the server says so, stays, and goes on when it is repaired."""
    with Server(deploy.uri, *worker, "--reload", cwd=deploy.folder, tracebacks=True) as server:
        assert server.get().text.startswith("v1")
        time.sleep(1.1)
        deploy.source("def app(:\n")
        server.wait_log("SyntaxError", 15)
        assert server.process.poll() is None
        time.sleep(1.1)
        deploy.version("repaired")

        def repaired() -> bool:
            assert server.process.poll() is None
            return server.get().text.startswith("repaired")

        eventually(repaired, "the repaired code", 15)


def test_reload_watches_extra_files(deploy):
    extra = deploy.folder / "templates"
    extra.mkdir()
    (extra / "a.html").write_text("one")
    arguments = ("--reload", "--reload-extra-file", f"{extra}/*.html")
    with Server(deploy.uri, *arguments, cwd=deploy.folder) as server:
        (old,) = server.wait_workers(1)
        server.get()
        time.sleep(1.1)
        (extra / "a.html").write_text("another")
        eventually(lambda: server.workers() and old not in server.workers(), "another worker", 15)


def test_reload_ignores_logs_in_the_folder(deploy):
    """Files nobody imported do not count: the server's own log would reload it for ever."""
    arguments = ("--reload", "--error-logfile", "error.log", "--access-logfile", "access.log")
    with Server(deploy.uri, *arguments, cwd=deploy.folder) as server:
        (old,) = server.wait_workers(1)
        for _ in range(20):
            server.get()
        consistently(lambda: server.workers() == [old], "the same worker", 2.0)


def test_preloaded_code_is_shared_and_survives_hup(worker, deploy):
    with Server(deploy.uri, *worker, "--preload", "-w", "2", cwd=deploy.folder) as server:
        old = server.wait_workers(2)
        with Load(server.connect, connections=4) as load:
            load.progress(50)
            server.signal(SIGHUP)
            eventually(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(old), "new workers")
            load.progress(50)
            load.assert_clean()
        assert server.stop(SIGTERM) == 0
