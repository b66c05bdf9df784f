"""Who holds a port, from the real /proc and from one made of files."""

import os
import socket
import sys

import pytest

from gunicorn.net.holder import port_holder

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = (
    "   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"
)


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        HEADER + LINE.format(port=80, state="0A", inode=77) + LINE.format(port=81, state="01", inode=78)
    )
    for pid, inode in ((12, 78), (345, 77)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "comm").write_text("nginx\n")
        os.symlink(f"socket:[{inode}]", tmp_path / str(pid) / "fd" / "6")
    return tmp_path


def test_listening_port_has_a_holder(proc):
    assert port_holder(80, proc) == "pid 345 (nginx)"


def test_connected_port_has_none(proc):
    assert port_holder(81, proc) == ""


def test_free_port_has_none(proc):
    assert port_holder(82, proc) == ""


def test_invisible_holder(proc, tmp_path):
    (proc / "345" / "fd" / "6").unlink()
    assert port_holder(80, proc) == ""


def test_no_proc(tmp_path):
    assert port_holder(80, tmp_path / "no") == ""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
def test_this_process():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert port_holder(server.getsockname()[1]).startswith(f"pid {os.getpid()} (")
