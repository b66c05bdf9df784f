"""Which slot loads what: every rule by example, and whatever the limits and the order of changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn.dirty.placement import ALL_AT_LIMIT, LAST_WORKER, NO_APPS, Change, Placement
from gunicorn.dirty.spec import AppSpec


def placed(workers, **limits):
    """A pool of that many workers; limits by application, None = all."""
    placement = Placement(AppSpec(path, limit) for path, limit in limits.items())
    placement.start(workers)
    return placement


def layout(placement):
    return ["".join(sorted(placement.slots[slot])) for slot in sorted(placement.slots)]


@pytest.mark.parametrize(
    ("workers", "limits", "expected"),
    [
        (3, {"a": None}, ["a", "a", "a"]),
        (3, {"a": None, "b": 1}, ["ab", "a", "a"]),
        (4, {"a": 2, "b": 2}, ["a", "a", "b", "b"]),
        (2, {"a": 2, "b": 2}, ["ab", "ab"]),
        (3, {"a": 2, "b": 2}, ["ab", "a", "b"]),
        (2, {"a": 5}, ["a", "a"]),
        (4, {"a": 2}, ["a", "a"]),
        (4, {"a": None, "b": 2, "c": 1, "d": 1}, ["ab", "ab", "ac", "ad"]),
        (0, {"a": None}, []),
    ],
)
def test_the_first_layout(workers, limits, expected):
    assert layout(placed(workers, **limits)) == expected


def test_a_pool_says_why_it_is_smaller_than_asked_for():
    assert Placement([AppSpec("a", 2)]).start(3) == Change(spawn=(0, 1), reason=ALL_AT_LIMIT)
    assert Placement([]).start(3) == Change(reason=NO_APPS)
    assert Placement([AppSpec("a")]).start(2) == Change(spawn=(0, 1))


def test_a_layout_is_made_once():
    with pytest.raises(RuntimeError):
        placed(1, a=None).start(1)


def test_a_slot_loads_the_same_after_every_crash():
    placement = placed(3, b=1, a=None)
    assert [placement.loads(slot) for slot in range(3)] == [["b", "a"], ["a"], ["a"]]
    assert placement.loads(0) == ["b", "a"]
    assert placement.holders("a") == [0, 1, 2]
    assert placement.holders("b") == [0]
    assert placement.holders("x") == []


def test_a_new_slot_loads_only_what_is_below_its_limit():
    placement = placed(2, a=None, b=1, c=3)
    assert placement.add(2) == Change(spawn=(2, 3))
    assert layout(placement) == ["abc", "ac", "ac", "a"]


def test_where_nothing_is_below_its_limit_there_is_no_new_slot_but_a_reason():
    placement = placed(2, a=2, b=3)
    assert placement.add(5) == Change(spawn=(2,), reason=ALL_AT_LIMIT)
    assert placement.add(1) == Change(reason=ALL_AT_LIMIT)
    assert layout(placement) == ["ab", "ab", "b"]


def test_numbers_of_slots_are_used_again():
    placement = placed(3, a=None)
    assert placement.remove(1).stop == (2,)
    assert placement.add(1).spawn == (2,)


def test_slots_with_fewer_limited_applications_leave_first():
    placement = placed(4, a=None, b=2)
    assert placement.remove(1) == Change(stop=(3,))
    assert placement.remove(5) == Change(stop=(2,), reason="b needs 2 workers")
    assert layout(placement) == ["ab", "ab"]


def test_one_worker_stays():
    placement = placed(3, a=None)
    assert placement.remove(3) == Change(stop=(2, 1), reason=LAST_WORKER)
    assert placement.remove(1) == Change(reason=LAST_WORKER)


def test_nothing_is_removed_from_a_pool_below_the_largest_limit():
    placement = placed(2, a=5)
    assert placement.floor == 5
    assert placement.remove(1) == Change(reason="a needs 5 workers")


def test_what_loses_its_workers_moves_in_with_others():
    placement = placed(4, a=2, b=2)
    assert placement.remove(2) == Change(stop=(3, 2), replace=(0, 1))
    assert layout(placement) == ["ab", "ab"]


def test_an_application_can_be_added_and_removed():
    placement = placed(2, a=None)
    assert placement.add_app(AppSpec("b", 1)) == Change(replace=(0,))
    assert layout(placement) == ["ab", "a"]
    assert placement.remove_app("a") == Change(stop=(1,), replace=(0,))
    assert layout(placement) == ["b"]
    assert placement.remove_app("b") == Change(stop=(0,))
    assert placement.add_app(AppSpec("c")) == Change(spawn=(0,))
    with pytest.raises(ValueError, match="c is in the pool already"):
        placement.add_app(AppSpec("c"))
    with pytest.raises(KeyError):
        placement.remove_app("a")


def test_an_application_can_be_scaled():
    placement = placed(3, a=None, b=1)
    assert placement.scale_app("b", 3) == Change(replace=(1, 2))
    assert placement.scale_app("b", 1) == Change(replace=(1, 2))
    assert placement.scale_app("b", None) == Change(replace=(1, 2))
    assert layout(placement) == ["ab", "ab", "ab"]
    assert placement.scale_app("b", None) == Change()
    with pytest.raises(KeyError):
        placement.scale_app("x", 1)
    assert placement.holders("x") == []


LIMITS = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(1, 6), min_size=1)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "add_app", "remove_app", "scale_app"]), st.integers(0, 5)), max_size=20
)


def change(placement, limits, what, number):
    """Carries out one change; `limits` follows."""
    path = "abcdef"[number]
    limit = number or None
    if what == "add":
        return placement.add(number)
    if what == "remove":
        return placement.remove(number)
    if what == "add_app" and path not in limits:
        limits[path] = limit
        return placement.add_app(AppSpec(path, limit))
    if what == "remove_app" and path in limits:
        del limits[path]
        return placement.remove_app(path)
    if what == "scale_app" and limits:
        path = sorted(limits)[number % len(limits)]
        limits[path] = limit
        return placement.scale_app(path, limit)
    return Change()


@settings(max_examples=200, deadline=None)
@given(LIMITS, st.integers(0, 8), CHANGES)
def test_the_rules_hold_whatever_happens(limits, workers, changes):
    placement = Placement(AppSpec(path, limit) for path, limit in limits.items())
    done = placement.start(workers)
    before = {}
    for what, number in [("", 0), *changes]:
        if what:
            before = dict(placement.slots)
            done = change(placement, limits, what, number)
        now = placement.slots
        assert all(now.values()), "a worker without applications"
        size = len(now)
        for path, limit in limits.items():
            assert len(placement.holders(path)) == (size if limit is None else min(size, limit)), path
        # What is to be done is exactly what has changed.
        assert set(done.spawn) == now.keys() - before.keys()
        assert set(done.stop) == before.keys() - now.keys()
        assert set(done.replace) == {slot for slot in now.keys() & before.keys() if now[slot] != before[slot]}
        if what == "remove" and done.stop:
            assert size >= max([1, *(limit for limit in limits.values() if limit)])
        if what == "add":
            assert len(done.spawn) == number or done.reason
