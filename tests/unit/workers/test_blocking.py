"""What the workers over the blocking driver make of hooks that misbehave."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gunicorn.workers.sync import SyncWorker


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_hook_after_the_answer_cannot_end_the_worker(error):
    def hook(worker, req, environ, resp):
        raise error("on purpose")

    said = []
    worker = SyncWorker.__new__(SyncWorker)
    worker.log = SimpleNamespace(exception=said.append)
    worker._after(hook, SimpleNamespace(request=None, environ={}))
    assert said == ["Exception in post_request hook"]
