"""The truth about applications: where each is, and whether the server may call itself ready."""

from __future__ import annotations

import pytest

from gunicorn.dirty.board import AppState, Board
from gunicorn.dirty.spec import AppSpec

A, B = "m:A", "m:B"


@pytest.fixture
def board():
    return Board([AppSpec(A, required=True), AppSpec(B)])


def test_an_application_without_workers_is_dead(board):
    assert board.states() == {A: AppState.DEAD, B: AppState.DEAD}
    assert board.missing() == ["m:A is dead"]


def test_from_the_start_to_the_end(board):
    board.worker_started(1, [A])
    assert board.state(A) is AppState.STARTING
    for state in (AppState.LOADING, AppState.WARMING, AppState.READY):
        assert board.missing() == [f"m:A is {board.state(A).word}"]
        board.say(1, A, state)
        assert board.state(A) is state
    assert board.missing() == []
    assert board.ready_workers(A) == [1]
    board.worker_draining(1)
    assert (board.state(A), board.missing()) == (AppState.DRAINING, ["m:A is draining"])
    board.worker_gone(1)
    assert board.state(A) is AppState.DEAD


def test_the_best_worker_counts(board):
    board.worker_started(1, [A])
    board.worker_started(2, [A, B])
    board.say(2, A, AppState.READY)
    assert board.state(A) is AppState.READY
    board.worker_gone(2)
    assert board.state(A) is AppState.STARTING


def test_one_may_be_ready_while_the_next_loads(board):
    board.worker_started(1, [A, B])
    board.say(1, A, AppState.READY)
    board.say(1, B, AppState.LOADING)
    assert board.states() == {A: AppState.READY, B: AppState.LOADING}
    assert board.missing() == []


def test_a_worker_killed_while_it_loads_was_never_ready(board):
    board.worker_started(1, [A])
    board.say(1, A, AppState.LOADING)
    board.worker_gone(1)
    board.say(1, A, AppState.READY)
    assert board.state(A) is AppState.DEAD
    assert board.ready_workers(A) == []


def test_a_worker_that_was_told_to_leave_is_never_ready_again(board):
    board.worker_started(1, [A])
    board.worker_draining(1)
    board.say(1, A, AppState.READY)
    assert board.state(A) is AppState.DRAINING


def test_a_worker_speaks_for_what_it_holds_only(board):
    board.worker_started(1, [B])
    board.say(1, A, AppState.READY)
    assert board.state(A) is AppState.DEAD


def test_why_it_cannot_be_loaded_is_told_until_it_is_ready(board):
    board.worker_started(1, [A])
    board.failed(1, A, "ImportError: no module torch")
    board.worker_gone(1)
    assert board.missing() == ["m:A is dead: ImportError: no module torch"]
    board.worker_started(2, [A])
    assert board.missing() == ["m:A is starting: ImportError: no module torch"]
    board.say(2, A, AppState.READY)
    board.worker_draining(2)
    assert board.missing() == ["m:A is draining"]


def test_applications_come_and_go(board):
    board.remove_app(A)
    assert board.missing() == []
    board.add_app(AppSpec(B, required=True))
    assert board.missing() == ["m:B is dead"]
    with pytest.raises(KeyError):
        board.remove_app(A)
