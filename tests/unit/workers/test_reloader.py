"""The reloader's thread on real files: one call for a burst, none for noise, and no end by accident."""

import os
import queue
import sys
import threading

import pytest

from gunicorn.host import inotify
from gunicorn.workers.reloader import Reloader

ENGINES = ["poll", *(["inotify"] if sys.platform == "linux" else [])]
WAIT = 20


class Calls:
    """What the reloader said, to be waited for."""

    def __init__(self):
        self.paths = queue.Queue()
        self.lines = []

    def next(self):
        return self.paths.get(timeout=WAIT)

    def none(self):
        """After another change has been answered nothing else may be waiting."""
        return self.paths.empty()


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture(params=ENGINES)
def start(request, calls):
    running = []

    def make(extra, engine=request.param, callback=calls.paths.put, start=True):
        made = Reloader(engine, extra, callback, report=calls.lines.append, quiet=0.05, interval=0.05)
        running.append(made)
        if start:
            made.start()
        return made

    yield make
    for one in running:
        one.stop()


def write(path, text="x"):
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def test_change(start, calls, tmp_path):
    write(tmp_path / "a.txt")
    start([str(tmp_path / "a.txt")])
    write(tmp_path / "a.txt")
    assert calls.next() == str(tmp_path / "a.txt")


def test_touch(start, calls, tmp_path):
    write(tmp_path / "a.txt")
    start([str(tmp_path / "a.txt")])
    os.utime(tmp_path / "a.txt", (1, 1))
    assert calls.next() == str(tmp_path / "a.txt")


def test_change_of_a_loaded_module(start, calls, tmp_path, monkeypatch):
    write(tmp_path / "gunicorn_reload_probe.py", "answer = 42")
    monkeypatch.syspath_prepend(tmp_path)
    start([])
    import gunicorn_reload_probe

    try:
        assert gunicorn_reload_probe.answer == 42
        # Whether the module was taken in before or after this write, one of the next is noticed.
        for number in range(200):
            write(tmp_path / "gunicorn_reload_probe.py", f"answer = {number}")
            try:
                assert calls.paths.get(timeout=0.2) == str(tmp_path / "gunicorn_reload_probe.py")
                break
            except queue.Empty:
                continue
        else:
            pytest.fail("never noticed")
    finally:
        del sys.modules["gunicorn_reload_probe"]


def test_burst_is_one_call(start, calls, tmp_path):
    for number in range(300):
        write(tmp_path / f"{number}.txt")
    burst_is_over = threading.Event()
    seen = []

    def callback(path):
        seen.append((path, burst_is_over.is_set()))
        calls.paths.put(path)

    start([str(tmp_path / "*.txt")], callback=callback)
    for number in range(300):
        write(tmp_path / f"{number}.txt", "y")
    burst_is_over.set()
    calls.next()
    write(tmp_path / "0.txt", "z")
    assert calls.next() == str(tmp_path / "0.txt")
    # One call for the burst unless the machine stalled in the middle of it; never one a file.
    assert len(seen) - 1 <= 3
    assert seen[-1][1] is True


def test_new_match_of_a_pattern(start, calls, tmp_path):
    start([str(tmp_path / "*.html")])
    write(tmp_path / "a.html")
    assert calls.next() == str(tmp_path / "a.html")


def test_noise_beside_is_not_answered(start, calls, tmp_path):
    write(tmp_path / "a.txt")
    start([str(tmp_path / "a.txt")])
    for number in range(20):
        write(tmp_path / "error.log", str(number))
    write(tmp_path / "a.txt")
    assert calls.next() == str(tmp_path / "a.txt")
    assert calls.none()


def test_one_more_file(start, calls, tmp_path):
    one = start([])
    one.watch(str(tmp_path / "broken.py"))
    write(tmp_path / "broken.py")
    assert calls.next() == str(tmp_path / "broken.py")


def test_mending_of_what_never_loaded(start, calls, tmp_path, monkeypatch):
    write(tmp_path / "gunicorn_broken_probe.py", "def (")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    one = start([])
    with pytest.raises(SyntaxError) as broken:
        __import__("gunicorn_broken_probe")
    one.watch_failure(broken.value)
    write(tmp_path / "gunicorn_broken_probe.py", "import gunicorn_missing_probe")
    assert calls.next() == str(tmp_path / "gunicorn_broken_probe.py")
    write(tmp_path / "gunicorn_missing_probe.py", "answer = 42")
    assert calls.next() == str(tmp_path / "gunicorn_missing_probe.py")


def test_callback_that_fails_is_reported_and_survived(start, calls, tmp_path):
    first = threading.Event()

    def callback(path):
        if not first.is_set():
            first.set()
            raise RuntimeError("no")
        calls.paths.put(path)

    start([str(tmp_path / "a.txt")], callback=callback)
    write(tmp_path / "a.txt")
    assert first.wait(WAIT)
    write(tmp_path / "a.txt", "again")
    assert calls.next() == str(tmp_path / "a.txt")
    assert calls.lines == ["the reloader goes on after RuntimeError: no"]


def test_callback_may_stop_it(start, calls, tmp_path):
    holder = []

    def callback(path):
        holder[0].stop()
        calls.paths.put(path)

    holder.append(start([str(tmp_path / "a.txt")], callback=callback))
    write(tmp_path / "a.txt")
    calls.next()
    holder[0].stop()
    assert not holder[0]._thread.is_alive()


def test_stop_leaves_no_thread_and_no_descriptor(start, tmp_path):
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    one = start([str(tmp_path / "a.txt")])
    assert one._thread.daemon
    one.stop()
    one.stop()
    assert not one._thread.is_alive()
    if before:
        assert set(os.listdir("/proc/self/fd")) == before


def test_stop_before_start(start):
    start([], start=False).stop()


def test_auto_takes_the_best(calls):
    one = Reloader("auto", [], calls.paths.put)
    assert one.engine == ENGINES[-1]
    one.stop()


def test_unknown_engine(calls):
    with pytest.raises(ValueError, match="choose one of auto, poll, inotify"):
        Reloader("magic", [], calls.paths.put)


@pytest.mark.parametrize(("engine", "lines"), [("auto", 0), ("inotify", 1)])
def test_no_inotify_is_no_end(monkeypatch, calls, tmp_path, engine, lines):
    def refuse():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify, "Inotify", refuse)
    one = Reloader(engine, [str(tmp_path / "a")], calls.paths.put, report=calls.lines.append, quiet=0.01, interval=0.01)
    assert one.engine == "poll"
    assert len(calls.lines) == lines
    one.start()
    write(tmp_path / "a")
    assert calls.next() == str(tmp_path / "a")
    one.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux'")
def test_no_more_watches_is_no_end(monkeypatch, calls, tmp_path):
    def refuse(self, directory):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inotify.Inotify, "watch", refuse)
    one = Reloader("auto", [str(tmp_path / "a")], calls.paths.put, report=calls.lines.append, quiet=0.01, interval=0.01)
    one.start()
    assert one.engine == "poll"
    assert "No space left on device" in calls.lines[0]
    write(tmp_path / "a")
    assert calls.next() == str(tmp_path / "a")
    one.stop()
