"""From `dirty_apps` and the classes' own words to what the pool runs."""

from __future__ import annotations

import pytest

from gunicorn.dirty.app import DirtyApp
from gunicorn.dirty.spec import AppSpec, Declaration, declared, merge, merge_all, parse, parse_all
from gunicorn.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "path", "workers"),
    [
        ("m:App", "m:App", None),
        ("pkg.mod:App", "pkg.mod:App", None),
        ("m:Outer.Inner", "m:Outer.Inner", None),
        ("m:App:1", "m:App", 1),
        ("m:App:007", "m:App", 7),
        ("  m:App:12 ", "m:App", 12),
        ("módulo:Ünter", "módulo:Ünter", None),
    ],
)
def test_parse(text, path, workers):
    assert parse(text) == AppSpec(path, workers)
    assert parse(text).module + ":" + parse(text).class_name == path


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "m", "m:", ":App", "m:App()", "m.:App", ".m:App", "m/x.py:App", "m:App:", "m:App:0", "m:App:-1"),
        *("m:App:+1", "m:App:1.5", "m:App:two", "m:App: 2", "m:App:1_0", "m:App:²", "m:App:٣", "m:App:1:1", "m::1"),
        "m :A",
    ],
)
def test_what_is_no_application_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.setting == "dirty_apps"
    assert caught.value.hint
    assert repr(text) in str(caught.value)


def test_the_order_is_kept():
    assert [spec.path for spec in parse_all(["b:B", "a:A:2"])] == ["b:B", "a:A"]
    assert parse_all([]) == []


@pytest.mark.parametrize(
    ("texts", "said"),
    [(["m:A", "x:X", "m:A:2"], "'m:A' and 'm:A:2'"), (["m:A", "m:A"], "'m:A' twice")],
)
def test_naming_one_twice_is_refused(texts, said):
    with pytest.raises(ConfigError, match=said):
        parse_all(texts)


def test_a_class_says_nothing_by_default():
    assert declared(DirtyApp) == Declaration()


def test_a_class_says_what_it_wants():
    class App(DirtyApp):
        workers = 2
        max_queue = 10
        queue_timeout = 1.5
        timeout = 30
        required = True
        stashes = ("sessions",)

    assert declared(App) == Declaration(2, 10, 1.5, 30, True, ("sessions",))


def test_actions_with_the_names_of_settings_are_no_settings():
    class App(DirtyApp):
        def timeout(self):
            return 1

        def required(self):
            return True

        @property
        def max_queue(self):
            return 1

    assert declared(App) == Declaration()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("workers", value) for value in (0, -1, 1.0, "2", True)),
        *(("max_queue", value) for value in (0, "3", 2.5)),
        *(
            (name, value)
            for name in ("timeout", "queue_timeout")
            for value in (0, -1.0, "1", float("inf"), float("nan"))
        ),
        *(("stashes", value) for value in ("name", [1])),
    ],
)
def test_a_class_that_says_what_cannot_be_is_refused(name, value):
    kind = type("App", (DirtyApp,), {name: value})
    with pytest.raises(ConfigError, match=f"App.{name} is "):
        declared(kind)


def test_the_configuration_wins():
    said = Declaration(workers=4, max_queue=5, queue_timeout=1.0, timeout=2.0, required=True, stashes=("s",))
    assert merge(AppSpec("m:A"), said) == AppSpec("m:A", 4, 5, 1.0, 2.0, True, ("s",))
    assert merge(AppSpec("m:A", 1), said).workers == 1
    assert merge(AppSpec("m:A", 9, 8, 7.0, 6.0, False, ("t",)), said) == AppSpec("m:A", 9, 8, 7.0, 6.0, True, ("t",))


def test_only_those_that_said_something_are_merged():
    specs = [AppSpec("m:A"), AppSpec("m:B", 3)]
    assert merge_all(specs, {"m:A": Declaration(workers=2)}) == [AppSpec("m:A", 2), AppSpec("m:B", 3)]
