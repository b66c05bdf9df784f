"""Routing: deadlines, and calls that are given up."""

from __future__ import annotations

import pytest

from gunicorn.dirty.orders import Outcome, Reply
from gunicorn.dirty.records import SECOND
from gunicorn.dirty.spec import AppSpec
from tests.unit.dirty.pool import A, B, Pool, spelled


def test_a_call_does_not_wait_longer_than_its_application_allows():
    pool = Pool(AppSpec(A, queue_timeout=2))
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2)
    assert pool.due == 2, "who runs does not wait"
    assert pool.passes(1.9) == []
    assert pool.passes(0.1) == [("answer", 7, 2, "DirtyDeadlineExceeded")]
    assert pool.due is None
    assert (pool.router.queued, pool.router.outcomes(A)[Outcome.EXPIRED]) == (0, 1)
    assert pool.reply(1, 1) == [("forward", 7, 1, Reply.RESPONSE, None)]


def test_a_call_does_not_wait_longer_than_its_caller():
    pool = Pool(AppSpec(A, queue_timeout=10, timeout=20))
    pool.submit(7, 1, timeout=3)
    assert pool.due == 3
    (order,) = pool.router.expire(3 * SECOND)
    assert type(order.error).__name__ == "DirtyDeadlineExceeded"
    assert order.error.timeout == 3
    pool.submit(7, 2, timeout=60)
    (order,) = pool.router.expire(10 * SECOND)
    assert order.error.timeout == 10


@pytest.mark.parametrize(("app", "caller", "expected"), [(None, 3, 3), (2, None, 2), (2, 3, 2), (4, 3, 3)])
def test_a_call_that_runs_too_long_is_answered_and_called_off(app, caller, expected):
    pool = Pool(AppSpec(A, timeout=app))
    pool.ready(1)
    pool.submit(7, 1, timeout=caller)
    assert pool.due == expected
    orders = pool.router.expire(expected * SECOND)
    assert spelled(orders) == [("answer", 7, 1, "DirtyTimeoutError"), ("cancel", 1, 1)]
    assert orders[0].error.timeout == expected
    assert pool.router.outcomes(A)[Outcome.TIMED_OUT] == 1


def test_the_time_that_is_left_travels_with_the_call():
    pool = Pool(AppSpec(A, timeout=10))
    pool.submit(7, 1, timeout=6)
    pool.submit(7, 2, B)
    pool.now = 2 * SECOND
    (order,) = pool.router.worker_ready(1, [A], pool.now)
    assert (order.remaining, order.waited) == (4 * SECOND, 2 * SECOND)
    pool = Pool()
    pool.ready(1)
    (order,) = pool.router.submit(7, 1, A, None, 0)
    assert (order.remaining, order.waited) == (None, 0)


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_caller_without_time_is_not_served(timeout):
    pool = Pool()
    pool.ready(1)
    assert pool.submit(7, 1, timeout=timeout) == [("answer", 7, 1, "DirtyDeadlineExceeded")]
    assert pool.router.running == 0


def test_a_call_whose_time_is_over_does_not_begin_even_if_nobody_looked_at_the_clock():
    pool = Pool(AppSpec(A, queue_timeout=1), AppSpec(B))
    pool.submit(7, 1)
    pool.submit(7, 2, B, timeout=1)
    pool.submit(7, 3, B)
    pool.now = SECOND
    assert pool.ready(1) == [
        ("answer", 7, 1, "DirtyDeadlineExceeded"),
        ("answer", 7, 2, "DirtyDeadlineExceeded"),
        ("start", 1, 3, None),
    ]


def test_a_queued_call_that_is_cancelled_never_was():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2, timeout=1)
    pool.submit(7, 3)
    assert pool.cancel(7, 2) == []
    assert (pool.router.queued, pool.due) == (1, None)
    assert pool.reply(1, 1)[-1] == ("start", 1, 3, None)
    assert pool.router.outcomes(A)[Outcome.CANCELLED] == 1


def test_a_running_call_that_is_cancelled_keeps_its_place_until_it_ends():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1, timeout=100)
    pool.submit(7, 2)
    assert pool.cancel(7, 1) == [("cancel", 1, 1)]
    assert pool.cancel(7, 1) == []
    assert pool.due == 5
    assert pool.reply(1, 1, "x", Reply.CHUNK) == []
    assert pool.reply(1, 1, "too late") == [("start", 1, 2, None)]
    assert (pool.router.outcomes(A)[Outcome.CANCELLED], pool.router.outcomes(A)[Outcome.DONE]) == (1, 0)
    assert pool.due is None


def test_cancelling_what_is_not_there_does_nothing():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    assert pool.cancel(8, 1) + pool.cancel(7, 2) + pool.leave(9) == []
    pool.reply(1, 1)
    assert pool.cancel(7, 1) == []


def test_its_number_is_free_as_soon_as_a_call_was_cancelled():
    pool = Pool(threads=2)
    pool.ready(1)
    pool.submit(7, 1, payload="old")
    pool.cancel(7, 1)
    assert pool.submit(7, 1, payload="new") == [("start", 1, 2, "new")]
    assert pool.reply(1, 1, "old") == []
    assert pool.reply(1, 2, "new") == [("forward", 7, 1, Reply.RESPONSE, "new")]


def test_a_caller_that_leaves_gives_everything_up():
    pool = Pool(threads=2)
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(8, 1)
    pool.submit(7, 2)
    pool.submit(8, 2)
    assert pool.leave(7) == [("cancel", 1, 1)]
    assert pool.router.queued == 1
    assert pool.reply(1, 1) == [("start", 1, 4, None)]
    assert pool.leave(7) == []


def test_a_worker_that_does_not_let_go_is_replaced_and_killed():
    pool = Pool(grace=5)
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2)
    pool.cancel(7, 1)
    assert pool.passes(4.9) == []
    assert pool.passes(0.1) == [("retire", 1), ("end", 1)]
    assert pool.due is None
    assert pool.submit(7, 3) == []
    assert pool.die(1) == []
    assert pool.ready(2) == [("start", 2, 2, None)]


def test_a_worker_is_not_killed_under_calls_that_somebody_waits_for():
    pool = Pool(threads=3, grace=5)
    pool.ready(1)
    for number in (1, 2, 3):
        pool.submit(7, number)
    pool.cancel(7, 1)
    pool.passes(1)
    pool.cancel(7, 2)
    assert pool.passes(4) == [("retire", 1)]
    assert pool.submit(7, 4) == [], "it gets no more calls"
    assert pool.reply(1, 3) == [("forward", 7, 3, Reply.RESPONSE, None)]
    assert pool.passes(1) == [("end", 1)]
    assert pool.ready(1) == [], "it was given up for good"


def test_a_worker_is_killed_once():
    pool = Pool(threads=2, grace=1)
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2)
    pool.leave(7)
    assert pool.passes(1) == [("retire", 1), ("end", 1)]
    assert pool.reply(1, 1) == []


def test_a_call_that_ends_after_all_spares_its_worker_the_kill():
    pool = Pool(threads=2, grace=1)
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2)
    pool.cancel(7, 1)
    assert pool.passes(1) == [("retire", 1)]
    assert pool.reply(1, 1) == []
    assert pool.reply(1, 2) == [("forward", 7, 2, Reply.RESPONSE, None)]


def test_a_worker_that_drains_anyway_is_not_replaced_twice():
    pool = Pool(grace=1)
    pool.ready(1)
    pool.submit(7, 1)
    pool.router.worker_draining(1)
    pool.cancel(7, 1)
    assert pool.passes(1) == [("end", 1)]


def test_there_may_be_no_grace():
    pool = Pool(grace=0)
    pool.ready(1)
    pool.submit(7, 1, timeout=1)
    assert pool.passes(1) == [("answer", 7, 1, "DirtyTimeoutError"), ("cancel", 1, 1), ("retire", 1), ("end", 1)]
    assert pool.due is None


def test_the_death_of_a_worker_ends_what_was_given_up():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1, timeout=1)
    pool.passes(1)
    assert pool.die(1) == []
    assert (pool.router.running, pool.due) == (0, None)
