"""What applications write to wsgi.errors, and where crashes are written."""

from __future__ import annotations

import logging

import pytest

from gunicorn.log.errors import ErrorsStream, crash_file
from gunicorn.log.sink import Sink


@pytest.fixture
def log():
    made = logging.Logger("test")
    yield made
    for handler in made.handlers:
        handler.close()


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record) -> None:
        self.lines.append(record.getMessage())


def test_text_reaches_a_plain_log_as_it_is(log, tmp_path):
    log.addHandler(Sink(str(tmp_path / "log")))
    stream = ErrorsStream(log, plain=True)
    stream.write("Traceback:\n  line\n")
    stream.writelines(["caf\udce9", "\n"])
    print("printed", file=stream, flush=True)
    assert (tmp_path / "log").read_bytes() == b"Traceback:\n  line\ncaf\\udce9\nprinted\n"


def test_lines_become_records_where_records_are_asked_for(log, tmp_path):
    kept = Kept()
    log.addHandler(kept)
    log.addHandler(Sink(str(tmp_path / "log")))
    stream = ErrorsStream(log, plain=False)
    stream.write("one\ntw")
    stream.write("o\n\nthree")
    assert kept.lines == ["one", "two"]
    stream.flush()
    stream.flush()
    assert kept.lines == ["one", "two", "three"]


def test_a_handler_of_the_operator_gets_records(log):
    kept = Kept()
    log.addHandler(kept)
    ErrorsStream(log, plain=True).write("a line\n")
    assert kept.lines == ["a line"]


def test_crashes_are_written_to_the_log_or_to_stderr(log, tmp_path):
    assert crash_file(log) == 2
    sink = Sink(str(tmp_path / "log"))
    log.addHandler(Kept())
    log.addHandler(sink)
    assert crash_file(log) == sink.fd
