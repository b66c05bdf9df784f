"""The tables of the stash, with a clock in the hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.dirty.errors import StashError, StashKeyNotFoundError, StashTableNotFoundError
from gunicorn.dirty.tables import ABSENT, SECOND, Tables, same


class Clock:
    now = 0

    def __call__(self):
        return self.now

    def passes(self, seconds):
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tables(clock):
    return Tables(clock)


ERROR_LIKE = {"error": {"error_type": "StashError", "message": "no", "details": {}}}


@pytest.mark.parametrize(
    "value", [None, False, 0, "", b"", [], {}, ERROR_LIKE, StashError("kept"), ABSENT, {"error": 1}]
)
def test_any_value_is_a_value(tables, value):
    tables.put("t", "k", value)
    assert tables.get("t", "k") is value
    assert tables.exists("t", "k")
    assert tables.keys("t") == ["k"]


def test_what_is_not_there_is_an_error_that_names_it(tables):
    with pytest.raises(StashTableNotFoundError) as caught:
        tables.get("t", "k")
    assert caught.value.table_name == "t"
    tables.ensure("t")
    with pytest.raises(StashKeyNotFoundError) as missing:
        tables.get("t", "k")
    assert (missing.value.table_name, missing.value.key) == ("t", "k")


def test_delete(tables):
    assert tables.delete("t", "k") is False
    assert tables.tables() == []
    tables.put("t", "k", None)
    assert tables.delete("t", "k") is True
    assert tables.delete("t", "k") is False
    assert not tables.exists("t", "k")
    assert tables.exists("t")


def test_tables(clock):
    tables = Tables(clock, ["b", "a"])
    assert tables.tables() == ["a", "b"]
    assert (tables.ensure("a"), tables.ensure("c")) == (False, True)
    tables.put("d", "k", 1)
    assert tables.tables() == ["a", "b", "c", "d"]
    tables.delete_table("d")
    assert not tables.exists("d")
    assert not tables.exists("d", "k")
    tables.ensure("d")
    assert tables.keys("d") == []


@pytest.mark.parametrize("ask", ["keys", "clear", "info", "delete_table"])
def test_asking_a_table_that_is_not_there(tables, ask):
    with pytest.raises(StashTableNotFoundError):
        getattr(tables, ask)("t")
    assert tables.tables() == []


def test_keys_by_pattern(tables):
    for key in ("user:1", "user:22", "User:1", "job:1", "user:[1]", "line\nuser:1"):
        tables.put("t", key, None)
    assert tables.keys("t") == ["user:1", "user:22", "User:1", "job:1", "user:[1]", "line\nuser:1"]
    assert tables.keys("t", "user:*") == ["user:1", "user:22", "user:[1]"]
    assert tables.keys("t", "user:?") == ["user:1"]
    assert tables.keys("t", "[uU]ser:1") == ["user:1", "User:1"]
    assert tables.keys("t", "user:[[]1]") == ["user:[1]"]
    assert tables.keys("t", "*\nuser:1") == ["line\nuser:1"]
    assert tables.keys("t", "") == []
    assert tables.keys("t", "[") == []


def test_clear_and_info(tables):
    tables.put("t", "a", 1)
    tables.put("t", "b", 1, ttl=5)
    assert tables.info("t") == {"table": "t", "size": 2, "expiring": 1}
    assert tables.clear("t") == 2
    assert tables.info("t") == {"table": "t", "size": 0, "expiring": 0}
    assert tables.next_deadline() is None


def test_a_value_lives_as_long_as_it_was_given(tables, clock):
    tables.put("t", "k", 1, ttl=2.5)
    tables.put("t", "stays", 1)
    clock.passes(2.4)
    assert tables.get("t", "k") == 1
    assert tables.ttl("t", "k") == pytest.approx(0.1)
    assert tables.ttl("t", "stays") is None
    clock.passes(0.1)
    assert tables.keys("t") == ["stays"]
    assert not tables.exists("t", "k")
    with pytest.raises(StashKeyNotFoundError):
        tables.ttl("t", "k")


@pytest.mark.parametrize(
    "ask",
    [
        lambda tables: tables.exists("t", "k"),
        lambda tables: tables.delete("t", "k"),
        lambda tables: tables.keys("t"),
        lambda tables: tables.info("t")["size"],
        lambda tables: tables.clear("t"),
        lambda tables: tables.compare_and_set("t", "k", 1, 2),
        lambda tables: tables.incr("t", "k", 0),
    ],
)
def test_nothing_sees_a_value_whose_time_is_over(tables, clock, ask):
    tables.put("t", "k", 1, ttl=1)
    clock.passes(1)
    assert not ask(tables)


def test_putting_again_gives_another_time(tables, clock):
    tables.put("t", "k", 1, ttl=1)
    tables.put("t", "k", 2)
    clock.passes(5)
    assert tables.get("t", "k") == 2
    tables.put("t", "k", 3, ttl=1)
    tables.delete("t", "k")
    tables.put("t", "k", 4)
    clock.passes(5)
    assert tables.get("t", "k") == 4
    tables.put("u", "k", 1, ttl=1)
    tables.delete_table("u")
    tables.put("u", "k", 2)
    clock.passes(5)
    assert tables.get("u", "k") == 2


def test_the_memory_of_what_is_over_is_given_back(tables, clock):
    for number in range(100):
        tables.put("t", str(number), b"x", ttl=1 + number)
    assert tables.next_deadline() == SECOND
    clock.passes(50)
    tables.sweep()
    assert len(tables._tables["t"]) == 50
    assert tables.next_deadline() == 51 * SECOND


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "1", True])
def test_a_time_to_live_is_a_positive_number(tables, ttl):
    for ask in (
        lambda: tables.put("t", "k", 1, ttl),
        lambda: tables.incr("t", "k", ttl=ttl),
        lambda: tables.compare_and_set("t", "k", ABSENT, 1, ttl),
    ):
        with pytest.raises(StashError, match="time to live"):
            ask()
    assert tables.tables() == []


@pytest.mark.parametrize(("table", "key"), [(1, "k"), ("t", 1), (None, "k"), ("t", None), ("t", b"k")])
def test_names_are_text(tables, table, key):
    for ask in (tables.put, tables.incr):
        with pytest.raises(StashError, match="is text, not"):
            ask(table, key, 1)
    with pytest.raises(StashError, match="is text, not"):
        tables.compare_and_set(table, key, ABSENT, 1)
    assert tables.tables() == []


def test_incr(tables):
    assert [tables.incr("t", "n") for _ in range(3)] == [1, 2, 3]
    assert tables.incr("t", "n", -5) == -2
    assert tables.incr("t", "n", 0.5) == -1.5
    assert tables.incr("t", "m", 2, initial=10) == 12
    assert tables.get("t", "n") == -1.5


def test_a_counter_ends_with_its_window(tables, clock):
    tables.incr("t", "n", ttl=10)
    clock.passes(6)
    assert tables.incr("t", "n", ttl=10) == 2
    clock.passes(4)
    assert tables.incr("t", "n", ttl=10) == 1


@pytest.mark.parametrize("value", ["1", None, True, [], b"1"])
def test_only_numbers_are_counted(tables, value):
    tables.put("t", "k", value)
    with pytest.raises(StashError, match=r"t\['k'\] is .*not a number"):
        tables.incr("t", "k")
    assert tables.get("t", "k") is value
    with pytest.raises(StashError, match="the step"):
        tables.incr("t", "new", "1")
    assert not tables.exists("t", "new")


def test_a_sum_fits_a_message(tables):
    tables.put("t", "k", (1 << 63) - 1)
    with pytest.raises(StashError, match="out of range"):
        tables.incr("t", "k")
    assert tables.incr("t", "k", -1) == (1 << 63) - 2
    tables.put("t", "k", 1 << 2000)
    with pytest.raises(StashError, match="out of range"):
        tables.incr("t", "k", 0.5)


def test_compare_and_set(tables):
    assert tables.compare_and_set("t", "k", "old", 1) is False
    assert tables.tables() == []
    assert tables.compare_and_set("t", "k", ABSENT, 1) is True
    assert tables.compare_and_set("t", "k", ABSENT, 2) is False
    assert tables.compare_and_set("t", "k", 1, {"a": [1]}) is True
    assert tables.compare_and_set("t", "k", {"a": [1.0]}, 3) is False
    assert tables.compare_and_set("t", "k", {"a": [1]}, None) is True
    assert tables.compare_and_set("t", "k", None, 4) is True
    assert tables.get("t", "k") == 4


def test_compare_and_set_gives_a_new_time(tables, clock):
    tables.put("t", "k", 1, ttl=1)
    tables.compare_and_set("t", "k", 1, 2)
    clock.passes(2)
    assert tables.compare_and_set("t", "k", 2, 3, ttl=1) is True
    clock.passes(1)
    assert not tables.exists("t", "k")


NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (0, False, False),
        (NAN, -NAN, True),
        ("a", b"a", False),
        ([1, [2]], [1, [2]], True),
        ([1, [2]], [1, [True]], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (None, ABSENT, False),
        (ABSENT, ABSENT, True),
    ],
)
def test_same(one, other, expected):
    assert same(one, other) is expected
    assert same(other, one) is expected


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "incr", "set", "clear", "drop", "pass"]),
        st.sampled_from("tu"),
        st.sampled_from("abc"),
        st.none() | st.integers(1, 4),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_it_is_a_dictionary_of_dictionaries_with_ends(events):
    clock = Clock()
    tables, model = Tables(clock), {}
    for number, (what, table, key, ttl) in enumerate(events):
        until = None if ttl is None else clock.now + ttl * SECOND
        values = model.get(table, {})
        if what == "put":
            tables.put(table, key, number, ttl)
            model.setdefault(table, {})[key] = (number, until)
        elif what == "delete":
            assert tables.delete(table, key) is (values.pop(key, None) is not None)
        elif what == "incr":
            before, kept = values.get(key, (0, until))
            assert tables.incr(table, key, ttl=ttl) == before + 1
            model.setdefault(table, {})[key] = (before + 1, kept)
        elif what == "set":
            expected = values[key][0] if key in values else ABSENT
            assert tables.compare_and_set(table, key, expected, number, ttl)
            model.setdefault(table, {})[key] = (number, until)
        elif what == "clear" and table in model:
            assert tables.clear(table) == len(values)
            values.clear()
        elif what == "drop" and table in model:
            tables.delete_table(table)
            del model[table]
        elif what == "pass":
            clock.passes(ttl or 1)
            for name, held in model.items():
                model[name] = {k: v for k, v in held.items() if v[1] is None or v[1] > clock.now}
        assert tables.tables() == sorted(model)
        assert {name: {k: tables.get(name, k) for k in tables.keys(name)} for name in model} == {
            name: {k: v[0] for k, v in held.items()} for name, held in model.items()
        }
        ends = [v[1] for held in model.values() for v in held.values() if v[1] is not None]
        assert tables.next_deadline() == min(ends, default=None)
