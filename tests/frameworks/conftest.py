"""Starts each application once on each event loop; a test's `capability` is looked up in the table."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec

import pytest

from tests.frameworks.served import SERVER, Served, prepare
from tests.frameworks.table import ALONE, CAPABILITIES, FRAMEWORKS, LOOPS, Framework, lacking

PAIRS = [(framework, loop) for framework in FRAMEWORKS.values() for loop in LOOPS]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test of what a single framework has is left out with the others."""
    strangers = [item for item in items if _is_strange(item)]
    if strangers:
        config.hook.pytest_deselected(items=strangers)
        items[:] = [item for item in items if item not in set(strangers)]


def _is_strange(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("capability")
    if marker is None or marker.args[0] not in ALONE or not isinstance(item, pytest.Function):
        return False
    framework, _loop = item.callspec.params["pair"]
    return framework.name != ALONE[marker.args[0]][0]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "capability(name): the row of tests/frameworks/table.py a test proves")


def _require(framework: Framework, loop: str) -> None:
    """A framework that is not installed is left out, but never where everything must run."""
    wanted = (*framework.modules, "websockets", *(["uvloop"] if loop == "uvloop" else []))
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        assert os.environ.get("CI") != "true", f"not installed: {missing}"
        pytest.skip(f"not installed: {missing}")


@pytest.fixture(scope="session", params=PAIRS, ids=[f"{framework.name}-{loop}" for framework, loop in PAIRS])
def pair(request: pytest.FixtureRequest) -> tuple[Framework, str]:
    """A framework and an event loop that are installed."""
    framework, loop = request.param
    _require(framework, loop)
    return framework, loop


@pytest.fixture(scope="session")
def served(pair: tuple[Framework, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The application on a server that serves all tests of this pair. Its log must be clean at the end."""
    framework, loop = pair
    folder = tmp_path_factory.mktemp(f"{framework.name}-{loop}")
    with prepare(framework, loop, folder) as server:
        served = Served(framework, server, folder)
        yield served
        assert served.complaints() == []


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """What the table says cannot work is run nevertheless, and must fail: then it counts as an expected failure."""
    marker = pyfuncitem.get_closest_marker("capability")
    if marker is None:
        return (yield)
    (name,) = marker.args
    assert name in CAPABILITIES or name in ALONE, name
    framework, _loop = pyfuncitem.callspec.params["pair"]
    reason = lacking(framework, SERVER, name)
    if reason is None:
        return (yield)
    served = pyfuncitem.funcargs.get("served")
    with served.expected_to_fail() if served is not None else nullcontext():
        try:
            yield
        except Exception:
            pytest.xfail(reason)
    raise AssertionError(f"{name!r} works now, the table says it does not: {reason}")


@pytest.fixture
def key() -> str:
    """A name for marks and gates that no other test uses."""
    return uuid.uuid4().hex
