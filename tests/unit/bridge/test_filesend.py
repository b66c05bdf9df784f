"""Which files, and which spans of them, may be sent instead of bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gunicorn.bridge.filesend import file_span, open_path
from gunicorn.protocol.errors import ResponseError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as opened:
        yield opened


@pytest.mark.parametrize(
    ("position", "offset", "count", "span", "after"),
    [
        (0, None, None, (0, 10), 10),
        (4, None, None, (4, 6), 10),
        (4, None, 3, (4, 3), 7),
        (4, 0, None, (0, 10), 4),
        (4, 2, 3, (2, 3), 4),
        (10, None, None, (10, 0), 10),
        (12, None, None, None, 12),
        (0, 10, 0, (10, 0), 0),
        (0, 10, None, (10, 0), 0),
        (0, 0, 11, None, 0),
        (0, 11, None, None, 0),
        (0, -1, None, None, 0),
        (0, 0, -1, None, 0),
        (0, "x", None, None, 0),
        (0, None, "x", None, 0),
        (0, [], None, None, 0),
    ],
)
def test_spans(file, position, offset, count, span, after):
    file.seek(position)
    for one in (file, file.fileno()):
        file.seek(position)
        if span is None:
            with pytest.raises(ResponseError):
                file_span(one, offset, count)
        else:
            assert file_span(one, offset, count) == span
        assert file.tell() == after


def test_what_is_no_regular_file(tmp_path):
    out, into = os.pipe()
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        for fd in (out, folder):
            with pytest.raises(ResponseError, match="only regular files"):
                file_span(fd, None, None)
    finally:
        for fd in (out, into, folder):
            os.close(fd)


@pytest.mark.parametrize("what", ["name", None, b"x", 1.5, object(), -1, 1 << 40])
def test_what_is_no_file(what):
    with pytest.raises(ResponseError, match="not a file that can be sent"):
        file_span(what, 0, 1)


def test_a_closed_file(file):
    file.close()
    with pytest.raises(ResponseError, match="not a file that can be sent"):
        file_span(file, None, None)


@pytest.mark.parametrize("kind", [str, Path])
def test_paths(file, kind):
    with open_path(kind(file.name)) as opened:
        assert opened.read() == b"0123456789"


@pytest.mark.parametrize("path", [5, None, b"bytes", ["x"]])
def test_what_is_no_path(path):
    with pytest.raises(ResponseError, match="'path' is a str"):
        open_path(path)


def test_errors_of_the_system_are_the_applications(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_path(str(tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        open_path(tmp_path)
