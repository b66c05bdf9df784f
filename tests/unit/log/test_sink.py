from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
from pathlib import Path

import pytest

from gunicorn.log.sink import Sink


def record(text: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, text, args, None)


def test_appends_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    sink = Sink(str(path))
    sink.write(b"one\n")
    sink.handle(record("two %s", "words"))
    assert path.read_text() == "before\none\ntwo words\n"
    assert fcntl.fcntl(sink.fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    sink.close()


def test_a_path_that_cannot_be_opened_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Sink(str(tmp_path / "none" / "a.log"))


def test_reopen_moves_to_a_new_file_under_the_same_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    sink = Sink(str(path))
    fd = sink.fd
    sink.write(b"old\n")
    path.rename(tmp_path / "a.log.1")
    sink.write(b"still old\n")
    sink.reopen()
    sink.write(b"new\n")
    assert (tmp_path / "a.log.1").read_text() == "old\nstill old\n"
    assert path.read_text() == "new\n"
    assert sink.fd == fd
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    sink.close()


def test_reopen_in_a_vanished_directory_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = Sink(str(folder / "a.log"))
    folder.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        sink.reopen()
    sink.write(b"kept\n")
    assert (tmp_path / "moved" / "a.log").read_text() == "kept\n"
    sink.close()


def test_reopen_many_times_leaks_no_descriptor(tmp_path: Path) -> None:
    sink = Sink(str(tmp_path / "a.log"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        sink.reopen()
    assert len(os.listdir("/proc/self/fd")) == before
    sink.close()


def test_a_closed_file_opens_again_with_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    sink = Sink(str(path))
    sink.close()
    sink.write(b"again\n")
    assert path.read_text() == "again\n"
    sink.close()


def test_close_twice_leaves_strangers_descriptors_alone(tmp_path: Path) -> None:
    sink = Sink(str(tmp_path / "a.log"))
    fd = sink.fd
    sink.close()
    with open(tmp_path / "other", "w") as other:
        assert other.fileno() == fd
        sink.close()
        os.fstat(fd)


def test_a_full_disk_costs_lines_and_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    sink = Sink("/dev/full")
    for _ in range(3):
        sink.write(b"line\n")
    assert sink.lost == 3
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "/dev/full" in told
    assert "No space left" in told
    sink.close()


def test_writing_goes_on_once_there_is_room_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    sink = Sink(str(path))
    good = os.dup(sink.fd)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, sink.fd)
    sink.write(b"lost\n")
    os.dup2(good, sink.fd)
    sink.write(b"kept\n")
    assert path.read_text() == "kept\n"
    assert (sink.lost, sink.trouble) == (1, False)
    for fd in (good, full):
        os.close(fd)
    sink.close()


@pytest.fixture
def full_pipe():
    """A non-blocking pipe without room for a line of 64 KiB."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            assert fd == writer


def test_a_line_torn_by_a_full_pipe_does_not_spoil_the_next(full_pipe, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gunicorn.log.sink.PATIENCE_MS", 0)
    reader, writer = full_pipe
    sink = Sink(str(tmp_path / "a.log"))
    os.dup2(writer, sink.fd)
    sink.write(b"x" * 100_000 + b"\n")
    assert (sink.lost, sink.trouble) == (1, True)
    torn = os.read(reader, 200_000)
    assert set(torn) == {ord("x")}
    sink.write(b"whole\n")
    assert os.read(reader, 100) == b"\nwhole\n"
    sink.write(b"next\n")
    assert os.read(reader, 100) == b"next\n"
    sink.close()


def test_a_full_pipe_is_waited_for(full_pipe, tmp_path) -> None:
    reader, writer = full_pipe
    sink = Sink(str(tmp_path / "a.log"))
    os.dup2(writer, sink.fd)
    line = b"y" * 100_000 + b"\n"
    got = bytearray()

    def drain() -> None:
        while len(got) < len(line):
            got.extend(os.read(reader, 65536))

    thread = threading.Thread(target=drain)
    thread.start()
    sink.write(line)
    thread.join(10)
    assert bytes(got) == line
    assert sink.lost == 0
    sink.close()


def test_a_pipe_without_reader_never_raises(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    sink = Sink(str(tmp_path / "a.log"))
    os.dup2(writer, sink.fd)
    os.close(writer)
    os.close(reader)
    sink.write(b"nobody\n")
    assert sink.lost == 1
    sink.close()


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    sink = Sink(str(path))

    def write(char: str) -> None:
        for _ in range(200):
            sink.write(char.encode() * 300 + b"\n")

    threads = [threading.Thread(target=write, args=(char,)) for char in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 800
    assert all(len(set(line)) == 1 and len(line) == 300 for line in lines)
    sink.close()


def test_standard_streams_are_used_as_they_are(capfd: pytest.CaptureFixture[str]) -> None:
    for path in ("-", "/dev/stdout"):
        sink = Sink(path)
        sink.write(b"out\n")
        sink.reopen()
        sink.close()
        sink.write(b"after\n")
    Sink("-", standard=2).write(b"err\n")
    assert capfd.readouterr() == ("out\nafter\nout\nafter\n", "err\n")


def test_text_that_is_no_unicode_is_spelled_out(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    sink = Sink(str(path))
    sink.handle(record("caf\xe9 \udcff"))
    assert path.read_text() == "caf\xe9 \\udcff\n"
    sink.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_gives_the_file_to_the_user_of_the_workers(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    sink = Sink(str(path), owner=(12345, 54321))
    sink.close()
    info = path.stat()
    assert (info.st_uid, info.st_gid) == (12345, 54321)
    assert stat.S_ISREG(info.st_mode)
