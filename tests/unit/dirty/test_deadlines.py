"""Deadlines: the nearest first, one a key, and no memory of those that were dropped."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.dirty.deadlines import SLACK, Deadlines


def test_nearest_and_due():
    times = Deadlines()
    assert times.nearest() is None
    assert times.due(10**18) == []
    for key, at in (("a", 5), ("b", 3), ("c", 5)):
        times.set(key, at)
    assert times.nearest() == 3
    assert times.due(2) == []
    assert times.due(5) == ["b", "a", "c"]
    assert (times.nearest(), len(times)) == (None, 0)


def test_the_last_word_counts():
    times = Deadlines()
    times.set("a", 5)
    times.set("a", 9)
    assert (times.nearest(), times.at("a")) == (9, 9)
    times.set("a", 2)
    assert times.due(100) == ["a"]
    times.set("a", 1)
    times.drop("a")
    times.drop("a")
    assert (times.due(100), times.at("a")) == ([], None)


def test_keys_need_not_compare():
    times = Deadlines()
    keys = [object(), object()]
    for key in keys:
        times.set(key, 1)
    assert times.due(1) == keys


def test_dropped_ones_are_forgotten():
    times = Deadlines()
    for number in range(10_000):
        times.set(number, 10**9 + number)
        times.drop(number)
    times.set("kept", 1)
    assert len(times._heap) <= SLACK + 2
    for _ in range(10_000):
        times.set("kept", 7)
    assert len(times._heap) <= SLACK + 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["set", "drop", "due"]), st.integers(0, 5), st.integers(0, 20)), max_size=200)
)
def test_it_is_a_dictionary_that_knows_its_least(events):
    times, model = Deadlines(), {}
    for what, key, at in events:
        if what == "set":
            times.set(key, at)
            model[key] = at
        elif what == "drop":
            times.drop(key)
            model.pop(key, None)
        else:
            found = times.due(at)
            assert sorted(found) == sorted(known for known, when in model.items() if when <= at)
            assert [model[known] for known in found] == sorted(model[known] for known in found)
            model = {known: when for known, when in model.items() if when > at}
        assert times.nearest() == min(model.values(), default=None)
        assert len(times) == len(model)
