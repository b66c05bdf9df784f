"""Everything an operator may do, in any order and at once, under load: no request is lost."""

from __future__ import annotations

import random
import time
from signal import SIGHUP, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1

import pytest

from tests.support.load import Load
from tests.support.processes import alive, eventually
from tests.support.server import Server

SECONDS = 8.0


@pytest.mark.slow
@pytest.mark.parametrize("bind", ["tcp", "unix"])
@pytest.mark.parametrize("seed", [1])
def test_chaos(worker, deploy, bind, seed):
    dice = random.Random(seed)
    releases = 1
    arguments = ("-w", "2", "--max-requests", "400", "--max-requests-jitter", "200")
    with Server(deploy.uri, *worker, *arguments, cwd=deploy.folder, bind=bind) as server:
        server.wait_workers(2)
        with (
            Load(server.connect, connections=4) as kept,
            Load(server.connect, connections=2, keep_alive=False) as short,
        ):
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline:
                step = dice.choice(["reload", "reload", "more", "fewer", "retire", "reopen"])
                if step == "reload":
                    releases += 1
                    deploy.version(f"v{releases}", boot=dice.choice([0.0, 0.0, 0.3]))
                    server.signal(SIGHUP)
                elif step == "retire":
                    # A worker may be gone by itself before the signal reaches it.
                    for pid in server.workers()[:1]:
                        if alive(pid):
                            server.signal(SIGTERM, pid)
                else:
                    server.signal({"more": SIGTTIN, "fewer": SIGTTOU, "reopen": SIGUSR1}[step])
                time.sleep(dice.uniform(0.0, 0.5))
            releases += 1
            deploy.version(f"v{releases}")
            server.signal(SIGHUP)
            short.answered_by(f"v{releases}")
            kept.assert_clean()
            short.assert_clean()
        eventually(lambda: server.get().text.startswith(f"v{releases} "), "only the last release answers")
        assert server.stop(SIGTERM) == 0
