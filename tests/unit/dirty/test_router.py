"""Routing: who runs a call, who waits, who gets the answer. Deadlines and giving up are in test_router_time."""

from __future__ import annotations

import tracemalloc
import weakref

import pytest

from gunicorn.dirty.errors import DirtyConnectionError, DirtyProtocolError
from gunicorn.dirty.orders import Outcome, Reply
from gunicorn.dirty.spec import AppSpec
from tests.unit.dirty.pool import A, B, Pool, spelled


def test_a_call_goes_to_a_worker_and_its_answer_back():
    pool = Pool()
    pool.ready(1)
    assert pool.submit(7, 100, payload="do") == [("start", 1, 1, "do")]
    assert pool.router.running == 1
    assert pool.reply(1, 1, "done") == [("forward", 7, 100, Reply.RESPONSE, "done")]
    assert (pool.router.running, pool.router.queued, pool.due) == (0, 0, None)
    assert pool.router.outcomes(A)[Outcome.DONE] == 1


def test_callers_may_use_the_same_numbers():
    pool = Pool(threads=2)
    pool.ready(1)
    pool.submit(7, 5)
    pool.submit(8, 5)
    assert pool.reply(1, 2, "second") == [("forward", 8, 5, Reply.RESPONSE, "second")]
    assert pool.reply(1, 1, "first") == [("forward", 7, 5, Reply.RESPONSE, "first")]


def test_a_number_is_free_again_once_it_is_answered():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 5)
    with pytest.raises(DirtyProtocolError, match="request id 5 "):
        pool.submit(7, 5)
    pool.reply(1, 1)
    assert pool.submit(7, 5) == [("start", 1, 2, None)]


def test_an_application_that_nobody_configured():
    pool = Pool()
    pool.ready(1)
    assert pool.submit(7, 1, "m:X") == [("answer", 7, 1, "DirtyAppNotFoundError")]


def test_only_workers_that_hold_the_application_get_its_calls():
    pool = Pool()
    pool.ready(1, A)
    pool.ready(2, B)
    assert pool.submit(7, 1, B) == [("start", 2, 1, None)]
    assert pool.submit(7, 2, B) == []
    assert pool.submit(7, 3, A) == [("start", 1, 3, None)]
    assert (pool.router.depth(A), pool.router.depth(B)) == (0, 1)


def test_calls_wait_for_the_first_worker():
    pool = Pool(threads=2)
    assert [pool.submit(7, number, payload=number) for number in (1, 2, 3)] == [[], [], []]
    assert pool.ready(1) == [("start", 1, 1, 1), ("start", 1, 2, 2)]
    assert pool.reply(1, 2) == [("forward", 7, 2, Reply.RESPONSE, None), ("start", 1, 3, 3)]


def test_the_least_loaded_worker_is_taken_and_equals_take_turns():
    pool = Pool(threads=3)
    for worker in (1, 2, 3):
        pool.ready(worker)
    taken = [pool.submit(7, number)[0][1] for number in range(9)]
    assert taken == [1, 2, 3, 1, 2, 3, 1, 2, 3]
    pool.reply(2, 2)
    pool.reply(3, 3)
    pool.reply(3, 6)
    assert [pool.submit(7, number)[0][1] for number in (10, 11, 12)] == [3, 2, 3]


def test_one_at_a_time_takes_turns_too():
    pool = Pool()
    pool.ready(1)
    pool.ready(2)
    taken = []
    for number in range(1, 5):
        taken.append(pool.submit(7, number)[0][1])
        pool.reply(taken[-1], number)
    assert taken == [1, 2, 1, 2]


def test_a_free_worker_takes_the_oldest_of_all_its_applications():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2, B)
    pool.submit(7, 3, A)
    pool.submit(7, 4, B)
    assert [pool.reply(1, number)[-1][2] for number in (1, 2, 3)] == [2, 3, 4]


def test_a_queue_has_a_limit_of_its_own():
    pool = Pool(AppSpec(A, max_queue=2), AppSpec(B))
    pool.ready(1)
    for number in range(3):
        pool.submit(7, number)
    assert pool.submit(7, 9) == [("answer", 7, 9, "DirtyQueueFullError")]
    assert pool.submit(7, 10, B) == []
    pool.reply(1, 1)
    assert pool.submit(7, 9) == []
    assert pool.router.outcomes(A)[Outcome.REFUSED] == 1


def test_all_queues_together_have_a_limit():
    pool = Pool(max_queue=2)
    assert [pool.submit(7, number, path) for number, path in enumerate((A, B))] == [[], []]
    (order,) = pool.router.submit(7, 9, A, None, 0)
    assert (order.error.limit, order.error.app_path) == (2, None)
    pool.cancel(7, 0)
    assert pool.submit(7, 9) == []


def test_limits_are_for_those_who_wait():
    pool = Pool(AppSpec(A, max_queue=1), max_queue=1)
    pool.ready(1)
    pool.ready(2)
    assert pool.submit(7, 1) + pool.submit(7, 2) == [("start", 1, 1, None), ("start", 2, 2, None)]


def test_an_error_of_the_application_goes_to_its_caller():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    assert pool.reply(1, 1, "no", Reply.ERROR) == [("forward", 7, 1, Reply.ERROR, "no")]
    assert pool.router.outcomes(A)[Outcome.FAILED] == 1


def test_a_stream_goes_on_until_its_end():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    assert pool.submit(7, 2) == []
    for item in "ab":
        assert pool.reply(1, 1, item, Reply.CHUNK) == [("forward", 7, 1, Reply.CHUNK, item)]
    assert pool.reply(1, 1, None, Reply.END) == [("forward", 7, 1, Reply.END, None), ("start", 1, 2, None)]


def test_a_stream_may_send_more_once_half_its_window_was_taken():
    pool = Pool()
    pool.ready(1)
    assert pool.consume(7, 1, 100) == []
    pool.submit(7, 1)
    pool.submit(7, 2)
    assert [pool.consume(7, 1, 30), pool.consume(7, 1, 20)] == [[], [("grant", 1, 1, 50)]]
    assert [pool.consume(7, 1, 49), pool.consume(7, 1, 200)] == [[], [("grant", 1, 1, 249)]]
    assert pool.consume(7, 2, 100) == [], "it waits: nothing of it can have been taken"
    pool.cancel(7, 1)
    assert pool.consume(7, 1, 100) == []


@pytest.mark.parametrize(("asked", "given"), [(None, 100), (40, 40), (500, 100), (0, 1)])
def test_a_caller_may_want_a_smaller_window(asked, given):
    pool = Pool()
    pool.ready(1)
    (order,) = pool.router.submit(7, 1, A, None, 0, window=asked)
    assert order.window == given
    assert pool.consume(7, 1, (given + 1) // 2) == [("grant", 1, 1, (given + 1) // 2)]


@pytest.mark.parametrize(("worker", "call"), [(1, 2), (1, 99), (2, 1), (9, 1)])
def test_a_reply_that_belongs_to_no_call_of_that_worker_is_thrown_away(worker, call):
    pool = Pool()
    pool.ready(1, A)
    pool.ready(2, B)
    pool.submit(7, 1)
    pool.submit(7, 2)
    assert pool.reply(worker, call, "strange") == []
    assert pool.router.late == 1
    assert pool.reply(1, 1, "mine")[0] == ("forward", 7, 1, Reply.RESPONSE, "mine")


def test_a_second_answer_is_thrown_away():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    pool.reply(1, 1)
    assert pool.reply(1, 1) == []
    assert pool.router.late == 1


def test_the_callers_of_a_dead_worker_hear_it_at_once():
    pool = Pool(threads=2)
    pool.ready(1)
    for number in (1, 2, 3):
        pool.submit(7, number)
    orders = pool.router.worker_gone(1, "out of memory")
    assert spelled(orders) == [("answer", 7, 1, "DirtyWorkerError"), ("answer", 7, 2, "DirtyWorkerError")]
    assert (orders[0].error.reason, orders[0].error.worker_id) == ("out of memory", 1)
    assert "out of memory" in str(orders[0].error)
    assert pool.ready(2) == [("start", 2, 3, None)], "who waited was not hurt"
    assert pool.reply(1, 1) == []
    assert pool.die(1) == []


def test_a_draining_worker_finishes_what_it_has():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2)
    pool.router.worker_draining(1)
    assert pool.reply(1, 1) == [("forward", 7, 1, Reply.RESPONSE, None)]
    assert pool.submit(7, 3) == []
    assert pool.ready(2) == [("start", 2, 2, None)]
    pool.router.worker_draining(9)


def test_a_worker_may_take_other_applications_later():
    pool = Pool()
    pool.ready(1, A)
    pool.submit(7, 1, B)
    assert pool.ready(1, B, B) == [("start", 1, 1, None)]
    assert pool.submit(7, 2, A) == []


def test_nobody_waits_for_an_application_that_no_worker_will_hold():
    pool = Pool()
    pool.submit(7, 1)
    pool.submit(7, 2, B)
    assert spelled(pool.router.withdraw(A, "it cannot be loaded")) == [("answer", 7, 1, "DirtyNoWorkersAvailableError")]
    (order,) = pool.router.submit(7, 3, A, None, 0)
    assert "it cannot be loaded" in str(order.error)
    assert pool.ready(1) == [("start", 1, 2, None)]
    assert pool.submit(7, 4, A) == []
    assert spelled(pool.router.withdraw(A, "no")) == [], "a worker holds it"


def test_applications_come_and_go():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1, B)
    pool.submit(7, 2, A)
    assert spelled(pool.router.remove_app(A)) == [("answer", 7, 2, "DirtyAppNotFoundError")]
    assert pool.submit(7, 3, A) == [("answer", 7, 3, "DirtyAppNotFoundError")]
    assert pool.reply(1, 1) == [("forward", 7, 1, Reply.RESPONSE, None)]
    pool.router.add_app(AppSpec(A, max_queue=1))
    assert pool.submit(7, 4, A) == []
    assert pool.submit(7, 5, A) == [("answer", 7, 5, "DirtyQueueFullError")]
    pool.router.add_app(AppSpec(A, max_queue=2))
    assert pool.submit(7, 5, A) == []
    assert pool.ready(1) == [("start", 1, 3, None)]
    with pytest.raises(KeyError):
        pool.router.remove_app("m:X")


def test_an_application_may_go_while_it_is_called():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    pool.router.remove_app(A)
    assert pool.reply(1, 1) == [("forward", 7, 1, Reply.RESPONSE, None)]
    assert pool.submit(7, 2, B) == [("start", 1, 2, None)]
    pool.die(1)


def test_a_pool_that_closes_finishes_what_it_has():
    pool = Pool()
    pool.ready(1)
    pool.submit(7, 1)
    pool.submit(7, 2)
    pool.router.close("the pool stops")
    assert pool.submit(7, 3) == [("answer", 7, 3, "DirtyNoWorkersAvailableError")]
    assert pool.reply(1, 1)[-1] == ("start", 1, 2, None)


def test_a_pool_that_ends_leaves_nobody_waiting():
    pool = Pool(threads=2)
    pool.ready(1)
    for number in (1, 2, 3):
        pool.submit(7, number, timeout=5)
    pool.cancel(7, 2)
    orders = spelled(pool.router.abandon(DirtyConnectionError("the pool stops")))
    assert orders == [("answer", 7, 1, "DirtyConnectionError"), ("answer", 7, 3, "DirtyConnectionError")]
    assert (pool.router.queued, pool.router.running, pool.due) == (0, 0, None)
    assert pool.submit(7, 4) == [("answer", 7, 4, "DirtyNoWorkersAvailableError")]
    assert pool.reply(1, 1) == []


def test_what_was_sent_is_not_kept():
    class Payload:
        pass

    pool = Pool()
    pool.ready(1)
    payload = Payload()
    kept = weakref.ref(payload)
    pool.submit(7, 1, payload=payload)
    del payload
    assert pool.router.running == 1
    assert kept() is None


def test_many_callers_leave_nothing_behind():
    pool = Pool()
    for number in range(5_000):
        pool.submit(number % 7, number, payload=b"x", timeout=60)
    assert (pool.router.queued, pool.router.depth(A)) == (5_000, 5_000)
    pool.ready(1)
    order = [pool.reply(1, number)[0][2] for number in range(1, 5_001)]
    assert order == list(range(5_000)), "first come, first served"
    router = pool.router
    assert (router.queued, router.running, pool.due) == (0, 0, None)
    assert (router._calls, router._callers) == ({}, {})


def test_five_thousand_queued_calls_leave_the_memory_as_it_was():
    pool = Pool()
    pool.ready(1)

    def flood():
        first = pool.router._last + 1
        for number in range(5_000):
            pool.router.submit(number % 50, number, A, bytes(100), pool.now, 60)
        for number in range(first, first + 5_000):
            pool.router.reply(1, number, Reply.RESPONSE, None, pool.now)
        assert (pool.router.queued, pool.router.running) == (0, 0)
        # Tables of the interpreter shrink when something is put in again.
        for number in range(first + 5_000, first + 5_200):
            pool.submit(1, 1)
            pool.reply(1, number)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        after = [flood() - before for _ in range(4)]
    finally:
        tracemalloc.stop()
    assert after[-1] < 200_000, after
    assert after[-1] - after[1] < 10_000, after
