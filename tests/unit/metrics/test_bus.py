from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import gunicorn
from gunicorn.metrics.bus import EVENTS, Bus


def test_subscribers_are_told_in_order_with_the_data() -> None:
    bus, told = Bus(), []
    bus.subscribe("pool.scaled", lambda old, new: told.append(("first", old, new)))
    bus.subscribe("pool.scaled", lambda **data: told.append(("second", data)))
    bus.subscribe("worker.ready", lambda child: told.append(("other", child)))
    bus.emit("pool.scaled", old=1, new=2)
    assert told == [("first", 1, 2), ("second", {"old": 1, "new": 2})]


def test_nobody_listens() -> None:
    Bus().emit("server.started", server=None)


def test_a_typing_error_in_a_subscription_is_refused() -> None:
    with pytest.raises(ValueError, match="no such event"):
        Bus().subscribe("worker.redy", print)


def test_a_failing_subscriber_is_reported_and_stops_nobody() -> None:
    failures, told = [], []
    bus = Bus(lambda event, subscriber, error: failures.append((event, subscriber, str(error))))

    def fail(**_: object) -> None:
        raise RuntimeError("broken")

    bus.subscribe("worker.exited", fail)
    bus.subscribe("worker.exited", lambda **data: told.append(data["status"]))
    bus.emit("worker.exited", status=9)
    assert told == [9]
    assert failures == [("worker.exited", fail, "broken")]


def test_failures_go_to_the_error_log_by_default(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("gunicorn.error")
    log.addHandler(caplog.handler)
    try:
        bus = Bus()
        bus.subscribe("server.stopping", lambda: None)
        bus.emit("server.stopping", server=None)
    finally:
        log.removeHandler(caplog.handler)
    assert "server.stopping failed" in caplog.text
    assert "TypeError" in caplog.text


def test_unsubscribe_also_while_an_event_is_told() -> None:
    bus, told = Bus(), []
    end = bus.subscribe("server.started", lambda: (told.append(1), end()))
    bus.subscribe("server.started", lambda: told.append(2))
    bus.emit("server.started")
    bus.emit("server.started")
    end()
    assert told == [1, 2, 2]


def emitted() -> set[str]:
    """Every event name that our source emits."""
    found = set()
    for path in Path(gunicorn.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr.endswith("emit") and isinstance(first, ast.Constant):
                    found.add(first.value)
    return found


def test_the_catalogue_and_the_source_agree() -> None:
    assert emitted() == set(EVENTS)
    assert all(doc.endswith(".") and "Data: " in doc for doc in EVENTS.values())


def test_the_page_has_a_row_for_every_event() -> None:
    page = (Path(__file__).parents[3] / "docs" / "logging.md").read_text(encoding="utf-8")
    for event, doc in EVENTS.items():
        assert f"| `{event}` | {doc} |\n" in page
