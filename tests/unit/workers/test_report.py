"""The budget of lines that a client can cause."""

from __future__ import annotations

from gunicorn.workers.report import LineBudget


def test_what_is_over_the_budget_is_counted_and_said_once():
    now = 0.0
    budget = LineBudget(2, clock=lambda: now)
    now = 10.0
    assert [budget.take() for _ in range(4)] == [(True, 0), (True, 0), (False, 0), (False, 0)]
    now = 11.0
    assert budget.take() == (True, 2)
    assert budget.take() == (True, 0)
    assert budget.take() == (False, 0)
