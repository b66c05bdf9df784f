"""What every test may use: the worker classes, a folder for a rewritable application.

Which fixture a test takes says what it is about: `worker` is a promise of the server, kept for every worker class
and interface; `wsgi_worker` is about WSGI itself; `asgi_worker` about ASGI, on both event loops.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.support.deploy import Deploy
from tests.support.server import WORKER_CLASSES, WSGI_CLASSES, worker_arguments


@pytest.fixture(params=WORKER_CLASSES)
def worker(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Command line of each worker class in turn."""
    return worker_arguments(request.param)


@pytest.fixture(params=WSGI_CLASSES)
def wsgi_worker(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Command line of each worker class that speaks WSGI with the application."""
    return worker_arguments(request.param)


@pytest.fixture(params=["asyncio", "uvloop"])
def asgi_worker(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Command line of the asgi worker on each event loop."""
    if request.param == "uvloop" and importlib.util.find_spec("uvloop") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("uvloop is not installed")
        pytest.skip("uvloop is not installed")
    return ("-k", "asgi", "--asgi-loop", request.param)


@pytest.fixture
def deploy(tmp_path: Path) -> Deploy:
    """An application whose source a test may replace while it is served."""
    return Deploy(tmp_path)
