"""inotify on real directories."""

import os
import select
import sys

import pytest

from gunicorn.host.inotify import Inotify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux'")


@pytest.fixture
def watch(tmp_path):
    made = Inotify()
    made.watch(str(tmp_path))
    yield made
    made.close()


def names(watch):
    return {os.path.basename(path) for path in watch.read()}


def test_silence(watch):
    assert watch.read() == set()


def test_descriptor_is_waited_for(watch, tmp_path):
    assert not select.select([watch], [], [], 0)[0]
    (tmp_path / "a").touch()
    assert select.select([watch], [], [], 5)[0]
    assert not os.get_inheritable(watch.fileno())


def test_what_is_told(watch, tmp_path):
    (tmp_path / "written").write_text("x")
    assert watch.read() == {str(tmp_path / "written")}
    os.utime(tmp_path / "written")
    assert names(watch) == {"written"}
    os.rename(tmp_path / "written", tmp_path / "renamed")
    assert names(watch) == {"written", "renamed"}
    (tmp_path / "renamed").unlink()
    assert names(watch) == {"renamed"}
    (tmp_path / "ünï").touch()
    assert names(watch) == {"ünï"}


def test_file_that_is_still_being_written_is_not(watch, tmp_path):
    with open(tmp_path / "log", "w") as log:
        watch.read()
        print("line", file=log, flush=True)
        assert watch.read() == set()
    assert names(watch) == {"log"}


def test_reading_is_not(watch, tmp_path):
    (tmp_path / "a").touch()
    watch.read()
    (tmp_path / "a").read_text()
    assert watch.read() == set()


def test_removed_directory_drops_out_and_can_return(watch, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    watch.watch(str(inner))
    assert watch.directories == {str(tmp_path), str(inner)}
    inner.rmdir()
    watch.read()
    assert watch.directories == {str(tmp_path)}
    inner.mkdir()
    watch.watch(str(inner))
    watch.read()
    (inner / "a").touch()
    assert watch.read() == {str(inner / "a")}


def test_what_cannot_be_watched(watch, tmp_path):
    with pytest.raises(FileNotFoundError):
        watch.watch(str(tmp_path / "no"))
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        watch.watch(str(tmp_path / "file"))


def test_lost_events_mean_anything(watch, tmp_path):
    try:
        with open("/proc/sys/fs/inotify/max_queued_events") as file:
            limit = int(file.read())
    except OSError:
        pytest.skip("the limit is not known")
    if limit > 20_000:
        pytest.skip("the queue is too long to be filled quickly")
    names = (str(tmp_path / "a"), str(tmp_path / "b"))
    (tmp_path / "a").touch()
    for _ in range(limit // 4 + 1):
        os.rename(*names)
        os.rename(*reversed(names))
    assert watch.read() is None
    assert watch.read() == set()
