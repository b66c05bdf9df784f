"""Request bodies while they arrive."""

from __future__ import annotations

import tracemalloc

import pytest

from gunicorn.drivers.blocking.spool import Spool


@pytest.mark.parametrize("threshold", [0, 10, 11, 1000])
def test_the_body_is_the_same_in_memory_and_on_disk(threshold, tmp_path):
    spool = Spool(threshold, str(tmp_path))
    for piece in (b"hello", b"", b" ", b"world"):
        spool.write(piece)
    assert spool.size == 11
    assert spool.file().read() == b"hello world"
    assert spool.file().readline() == b"hello world"
    spool.close()


def test_a_large_body_leaves_no_name_behind(tmp_path):
    spool = Spool(10, str(tmp_path))
    spool.write(b"x" * 100)
    assert list(tmp_path.iterdir()) == []
    body = spool.file()
    assert body.fileno() > 2
    spool.close()
    assert body.closed


def test_lines_and_iteration():
    spool = Spool(1000)
    spool.write(b"a\nb")
    spool.write(b"c\n")
    assert list(spool.file()) == [b"a\n", b"bc\n"]


def test_a_directory_that_is_not_there_is_an_oserror(tmp_path):
    spool = Spool(1, str(tmp_path / "missing"))
    with pytest.raises(OSError, match="missing"):
        spool.write(b"xx")


def test_small_pieces_take_little_memory():
    spool = Spool(1_000_000)
    tracemalloc.start()
    try:
        for index in range(100_000):
            spool.write(bytes((index % 256, 1)))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert len(spool.file().read()) == 200_000
