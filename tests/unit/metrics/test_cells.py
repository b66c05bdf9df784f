from __future__ import annotations

import os
import struct
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn.metrics import cells
from gunicorn.metrics.cells import COUNTERS, DURATION_BUCKETS, GAUGES, NOTE, NOTES, ROW_SIZE, Cells, observe

SLOTS = 4


@pytest.fixture
def table() -> Cells:
    return Cells(SLOTS)


def columns() -> dict[str, int]:
    constants = {name: value for name, value in vars(cells).items() if name.isupper() and type(value) is int}
    return {name: value for name, value in constants.items() if name not in ("CELLS", "NOTES", "ROW_SIZE", "_NOTES_AT")}


def test_columns_do_not_overlap_and_fill_the_row() -> None:
    width = dict.fromkeys(columns(), 1)
    width["DURATION"] = width["QUEUE"] = len(DURATION_BUCKETS) + 1
    taken = [cell for name, first in columns().items() for cell in range(first, first + width[name])]
    assert sorted(taken) == list(range(cells.CELLS))


def test_gauges_and_counters_part_the_columns() -> None:
    assert [*GAUGES, *COUNTERS] == list(range(cells.CELLS))


def test_what_is_now_ends_with_its_owner_and_what_was_counted_stays() -> None:
    assert {cells.CONNECTIONS, cells.WEBSOCKETS, cells.LOOP_LAG, cells.HEARTBEAT} <= set(GAUGES)
    messages = {cells.WEBSOCKET_MESSAGES_IN, cells.WEBSOCKET_MESSAGES_OUT}
    assert messages | {cells.LOOP_BLOCKS, cells.ACCEPTED} <= set(COUNTERS)


def test_the_counter_of_a_status() -> None:
    kinds = [cells.STATUS_1XX, cells.STATUS_2XX, cells.STATUS_3XX, cells.STATUS_4XX, cells.STATUS_5XX]
    assert [cells.STATUS_CELLS[status[0]] for status in ("101", "204 No Content", "304", "429", "599")] == kinds
    assert len(cells.STATUS_CELLS) == len(kinds)


@given(st.integers(0, 20 * 10**9))
def test_bounds_for_the_hot_path_are_those_of_the_buckets(ns: int) -> None:
    table = Cells(0)
    page = table.rows[0].page
    observe(page, cells.DURATION_SUM, cells.DURATION, ns)
    bucket = next((i for i, bound in enumerate(DURATION_BUCKETS) if ns / 1e9 <= bound), len(DURATION_BUCKETS))
    assert page[cells.DURATION + bucket] == 1
    assert list(cells.BOUNDS_NS) == [round(bound * 1e9) for bound in DURATION_BUCKETS]


def test_rows_start_on_cache_lines_and_hold_everything() -> None:
    assert ROW_SIZE % 64 == 0
    assert cells.CELLS * 8 + NOTES * NOTE.size <= ROW_SIZE


def test_a_new_table_is_all_zero(table: Cells) -> None:
    for row in table.rows:
        assert not any(row.page)
        assert len(row.page) == cells.CELLS
        assert row.in_flight() == []


def test_rows_are_strangers_to_each_other(table: Cells) -> None:
    for number, row in enumerate(table.rows):
        for cell in range(cells.CELLS):
            row.page[cell] = number * 1000 + cell
        for note in range(NOTES):
            NOTE.pack_into(row.notes, note * NOTE.size, number + 1, f"row {number} note {note}".encode())
    for number, row in enumerate(table.rows):
        assert list(row.page) == [number * 1000 + cell for cell in range(cells.CELLS)]
        assert {note.line for note in row.in_flight()} == {f"row {number} note {note}" for note in range(NOTES)}


def test_slots_are_handed_out_once_and_run_out(table: Cells) -> None:
    taken = [table.take() for _ in range(SLOTS)]
    assert sorted(taken) == [1, 2, 3, 4]
    with pytest.raises(IndexError):
        table.take()
    table.free(taken[1])
    assert table.take() == taken[1]


def test_freeing_folds_counters_and_forgets_the_rest(table: Cells) -> None:
    slot = table.take()
    row = table.rows[slot]
    for cell in range(cells.CELLS):
        row.page[cell] = cell + 1
    NOTE.pack_into(row.notes, 3 * NOTE.size, 5, b"GET / HTTP/1.1")
    table.free(slot)
    assert not any(row.page)
    assert row.in_flight() == []
    total = table.rows[0].page
    assert [total[cell] for cell in COUNTERS] == [cell + 1 for cell in COUNTERS]
    assert not any(total[cell] for cell in GAUGES)


def test_the_parents_own_gauges_survive_a_childs_end(table: Cells) -> None:
    table.rows[0].page[cells.PHASE] = cells.Stage.DRAINING
    table.free(table.take())
    assert table.rows[0].page[cells.PHASE] == cells.Stage.DRAINING


def test_totals_never_go_backwards(table: Cells) -> None:
    seen = [0]
    for _ in range(3 * SLOTS):
        slot = table.take()
        table.rows[slot].page[cells.STATUS_2XX] += 5
        seen.append(table.total(cells.STATUS_2XX))
        table.free(slot)
        seen.append(table.total(cells.STATUS_2XX))
    assert seen == sorted(seen)
    assert seen[-1] == 5 * 3 * SLOTS


def test_what_a_child_counts_is_seen_by_its_parent_even_after_kill(table: Cells) -> None:
    slot = table.take()
    row = table.rows[slot]
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        row.page[cells.STATUS_5XX] += 7
        NOTE.pack_into(row.notes, 0, 123, b"GET /stuck HTTP/1.1")
        os.write(writer, b"x")
        os.read(reader, 0)
        os.kill(os.getpid(), 9)
    os.read(reader, 1)
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(writer)
    assert row.page[cells.STATUS_5XX] == 7
    assert [(note.started, note.line) for note in row.in_flight()] == [(123, "GET /stuck HTTP/1.1")]


def test_threads_lose_no_count(table: Cells) -> None:
    page = table.rows[table.take()].page

    def count() -> None:
        for _ in range(20_000):
            page[cells.STATUS_2XX] += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert page[cells.STATUS_2XX] == 80_000


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0, 0), (0.005, 0), (0.0050001, 1), (0.01, 1), (0.3, 6), (10, 10), (10.001, 11), (1e6, 11)]
)
def test_observations_land_in_the_bucket_whose_bound_they_do_not_exceed(
    table: Cells, seconds: float, bucket: int
) -> None:
    page = table.rows[1].page
    observe(page, cells.DURATION_SUM, cells.DURATION, int(seconds * 1e9))
    counts = [page[cells.DURATION + i] for i in range(len(DURATION_BUCKETS) + 1)]
    assert counts.index(1) == bucket
    assert sum(counts) == 1
    assert page[cells.DURATION_SUM] == int(seconds * 1e9)


@given(st.lists(st.integers(0, 20 * 10**9), max_size=30))
def test_a_histogram_counts_every_observation_once(durations: list[int]) -> None:
    table = Cells(1)
    page = table.rows[1].page
    for ns in durations:
        observe(page, cells.QUEUE_SUM, cells.QUEUE, ns)
    assert sum(page[cells.QUEUE + i] for i in range(len(DURATION_BUCKETS) + 1)) == len(durations)
    assert page[cells.QUEUE_SUM] == sum(durations)
    assert not any(page[cell] for cell in COUNTERS if not cell >= cells.QUEUE_SUM)


def test_notes_are_cut_listed_by_age_and_cleared(table: Cells) -> None:
    row = table.rows[1]
    NOTE.pack_into(row.notes, 2 * NOTE.size, 30, b"young")
    NOTE.pack_into(row.notes, 0, 10, b"x" * 1000)
    NOTE.pack_into(row.notes, NOTE.size, 20, "caf\xe9".encode("latin-1"))
    assert [(note.started, note.line) for note in row.in_flight()] == [(10, "x" * 248), (20, "caf\xe9"), (30, "young")]
    NOTE.pack_into(row.notes, 0, 0, b"")
    assert [note.started for note in row.in_flight()] == [20, 30]


def test_notes_cannot_be_written_past_the_row(table: Cells) -> None:
    with pytest.raises(struct.error):
        NOTE.pack_into(table.rows[1].notes, NOTES * NOTE.size, 1, b"over")


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_cell_refuses_what_it_cannot_hold(table: Cells, value: Any) -> None:
    with pytest.raises(ValueError, match="invalid"):
        table.rows[1].page[0] = value


def test_largest_value(table: Cells) -> None:
    table.rows[1].page[0] = 2**64 - 1
    assert table.rows[1].page[0] == 2**64 - 1
