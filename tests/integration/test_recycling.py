"""max_requests replaces workers under load without anybody noticing."""

from __future__ import annotations

from signal import SIGTERM

import pytest

from tests.support.load import Load
from tests.support.processes import alive, eventually
from tests.support.server import Server


@pytest.mark.parametrize("keep_alive", [True, False])
def test_recycling_under_load_fails_no_request(worker, keep_alive):
    arguments = ("-w", "2", "--max-requests", "150", "--max-requests-jitter", "30")
    with Server("tests.apps.hello:app", *worker, *arguments) as server:
        first = server.wait_workers(2)
        with Load(server.connect, connections=6, keep_alive=keep_alive, pace=0) as load:
            eventually(lambda: not any(alive(pid) for pid in first), "both first workers are replaced", 30)
            load.progress(300)
            tally = load.assert_clean()
        assert len(tally.answers) >= 4
        server.wait_workers(2)


def test_a_single_worker_is_replaced_before_it_goes(deploy):
    """One worker, slow to boot: recycling must not leave a moment without one."""
    deploy.version("v1", boot=1.0)
    with Server(deploy.uri, "-k", "sync", "-w", "1", "--max-requests", "40", cwd=deploy.folder) as server:
        server.get()
        (first,) = server.wait_workers(1)
        with Load(server.connect, connections=3, keep_alive=False, pace=0.005) as load:
            eventually(lambda: not alive(first), "the first worker is replaced", 20)
            load.progress(20)
            tally = load.assert_clean()
        assert tally.slowest < 0.9


def test_jitter_spreads_the_limits(worker):
    """Workers that started together do not retire together: their counts differ."""
    arguments = ("-w", "4", "--max-requests", "20", "--max-requests-jitter", "200")
    with Server("tests.apps.hello:app", *worker, *arguments) as server:
        server.wait_workers(4)
        with Load(server.connect, connections=4, keep_alive=False, pace=0) as load:
            eventually(lambda: len(load.tally.answers) >= 10, "ten workers have answered", 30)
            tally = load.assert_clean()
        counts = sorted(tally.answers.values())
        assert counts[-1] > counts[0]


def test_one_request_a_worker(worker):
    with Server("tests.apps.hello:app", *worker, "-w", "2", "--max-requests", "1") as server:
        server.wait_workers(2)
        with Load(server.connect, connections=2, keep_alive=True, pace=0.01, limit=30) as load:
            load.join(60)
            tally = load.assert_clean()
        assert len(tally.answers) >= 5


@pytest.mark.slow
def test_a_hundred_workers_of_a_preloaded_application_that_logs(worker, tmp_path):
    """A lock or a thread held across a fork would hang one of them sooner or later."""
    access = tmp_path / "access"
    app = "tests.apps.hello:app" if worker[1] == "asgi" else "tests.apps.flask_project:app"
    arguments = ("--preload", "--max-requests", "1", "--access-logfile", str(access))
    with Server(app, *worker, "-w", "2", *arguments) as server:
        with Load(server.connect, connections=2, keep_alive=False, pace=0.01) as load:
            eventually(lambda: len(load.tally.answers) >= 100, "a hundred workers have answered", 60)
            tally = load.assert_clean()
        assert server.stop(SIGTERM) == 0
        assert len(access.read_text().splitlines()) == tally.succeeded
