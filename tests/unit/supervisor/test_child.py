"""The matrix: complete, without ways back, and with the right signal for each fall."""

from pathlib import Path

import pytest

from gunicorn.supervisor.child import MATRIX, Action, Child, Event, State

ORDER = [State.BOOTING, State.READY, State.DRAINING, State.ABORTING, State.GONE]


def child(state: State) -> Child:
    return Child(slot=1, age=1, generation=1, started=1, pid=100, state=state)


def test_every_state_answers_every_event():
    assert set(MATRIX) == set(State)
    for row in MATRIX.values():
        assert set(row) == set(Event)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_nobody_ever_goes_back(state, event):
    after, _ = MATRIX[state][event]
    assert ORDER.index(after) >= ORDER.index(state)


@pytest.mark.parametrize("state", [s for s in State if s is not State.GONE])
def test_death_ends_every_life(state):
    one = child(state)
    assert one.advance(Event.EXIT) is Action.BURY
    assert one.state is State.GONE


@pytest.mark.parametrize("event", Event)
def test_the_dead_are_left_alone(event):
    one = child(State.GONE)
    assert one.advance(event) is Action.NOTHING
    assert one.state is State.GONE


def test_only_a_booting_child_is_welcomed():
    assert [state for state in State if MATRIX[state][Event.READY][1] is Action.WELCOME] == [State.BOOTING]


def test_a_child_that_was_told_to_leave_stays_told_when_it_becomes_ready():
    one = child(State.BOOTING)
    assert one.advance(Event.DRAIN) is Action.TERM
    assert one.advance(Event.READY) is Action.NOTHING
    assert one.state is State.DRAINING
    assert not one.standing


def test_a_booting_child_never_gets_sigquit_for_that_would_dump_core():
    assert Action.QUIT not in {action for _, action in MATRIX[State.BOOTING].values()}


def test_drain_time_over_means_kill_not_abort():
    one = child(State.DRAINING)
    assert one.advance(Event.EXPIRE) is Action.KILL
    assert one.state is State.ABORTING


def test_a_killed_child_that_does_not_die_is_killed_again():
    one = child(State.ABORTING)
    assert one.advance(Event.EXPIRE) is Action.KILL
    assert one.advance(Event.EXPIRE) is Action.KILL


def test_politeness_can_turn_into_haste_but_not_the_reverse():
    one = child(State.DRAINING)
    assert one.advance(Event.DRAIN) is Action.NOTHING
    assert one.advance(Event.QUIT) is Action.INT
    assert one.state is State.DRAINING


@pytest.mark.parametrize(("state", "standing"), list(zip(ORDER, [True, True, False, False, False], strict=True)))
def test_standing(state, standing):
    assert child(state).standing is standing


def test_the_table_in_the_readme_is_the_matrix():
    """`python tests/unit/supervisor/test_child.py` prints it."""
    assert printed() in (Path(__file__).parents[3] / "gunicorn/supervisor/README.md").read_text()


def printed() -> str:
    """The matrix as a Markdown table: in each cell the next state and the action, "·" where nothing happens."""
    lines = ["| | " + " | ".join(f"`{event.name}`" for event in Event) + " |", "|---" * (len(Event) + 1) + "|"]
    for state, row in MATRIX.items():
        cells = []
        for event in Event:
            after, action = row[event]
            move = "" if after is state else f"→ {after.name}"
            deed = "" if action is Action.NOTHING else action.value
            cells.append(" ".join(filter(None, (move, deed))) or "·")
        lines.append(f"| **{state.name}** | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(printed())
