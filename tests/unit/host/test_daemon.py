"""Daemons that are really forked, observed through a file they write."""

import json
import os
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

REPORT = """
import json, os, sys
from gunicorn.host.daemon import daemonize
before = os.getpid(), os.getsid(0)
print("said before", flush=True)
daemonize(inherit_stdio={inherit})
print("said after", flush=True)
mask = os.umask(0)
streams = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in (0, 1, 2)]
with open({path!r} + ".part", "w") as file:
    json.dump({{"pid": os.getpid(), "sid": os.getsid(0), "before": before, "umask": mask, "streams": streams}}, file)
os.rename({path!r} + ".part", {path!r})
"""


def daemon(tmp_path, **changes):
    """Starts one, waits until it has reported, returns the report and what its starter printed."""
    path = tmp_path / "report"
    code = REPORT.format(path=str(path), inherit=changes.get("inherit", False))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return json.loads(path.read_text()), done


def test_daemon_leaves_session_and_streams(tmp_path):
    report, starter = daemon(tmp_path)
    assert starter.returncode == 0
    assert starter.stdout == b"said before\n"
    assert starter.stderr == b""
    assert report["pid"] not in report["before"]
    assert report["sid"] not in report["before"]
    # A session leader could get a terminal by opening one.
    assert report["sid"] != report["pid"]
    assert report["umask"] == 0o022
    assert report["streams"] == [os.devnull] * 3


def test_daemon_may_keep_output(tmp_path):
    report, starter = daemon(tmp_path, inherit=True)
    # The pipe stays open in the daemon, so the starter's output is read until the daemon's end.
    assert starter.stdout == b"said before\nsaid after\n"
    assert report["streams"][0] == os.devnull
    assert report["streams"][1].startswith("pipe:")


def test_closed_streams_are_filled(tmp_path):
    code = (
        "import os, sys\n"
        "from gunicorn.host.daemon import redirect_stdio\n"
        "os.close(0); os.close(2)\n"
        "redirect_stdio(inherit=True)\n"
        "filled = [os.readlink(f'/proc/self/fd/{fd}') == os.devnull and os.get_inheritable(fd) for fd in (0, 2)]\n"
        "print(*filled, len(os.listdir('/proc/self/fd')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["True", "True", "4"]
