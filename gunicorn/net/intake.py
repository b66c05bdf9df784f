"""What the kernel can do for a listening socket beyond bind and listen: refuse newcomers, count waiters.

Linux only; elsewhere every function says "not supported" by its result and nothing breaks.
Knows sockets, not who owns them or why they are to be stopped.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from array import array

_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
_TCP_LISTEN = 10

_LINUX = sys.platform == "linux"

# Classic BPF (socket(7)); a TCP socket's filter sees the segment from its TCP header on, and byte 13
# of that header holds the flags (RFC 9293 3.1). Keep everything except SYN without ACK.
_LD_BYTE, _ALU_AND, _JEQ, _RET = 0x30, 0x54, 0x15, 0x06
_FLAGS, _SYN, _SYN_ACK = 13, 0x02, 0x12
_DROP_NEW_CONNECTIONS = (
    (_LD_BYTE, 0, 0, _FLAGS),
    (_ALU_AND, 0, 0, _SYN_ACK),
    (_JEQ, 0, 1, _SYN),
    (_RET, 0, 0, 0),
    (_RET, 0, 0, 0xFFFFFFFF),
)


def drop_syns(sock: socket.socket) -> bool:
    """Makes a listening TCP socket deaf to new connections, and says whether the kernel agreed.

    Handshakes in progress complete and the accept queue stays, so that it can be emptied to the end; a
    client that comes now retries its SYN and finds the next server, or a refusal, once this one is
    closed. The filter belongs to the socket, so it holds in every process that shares it.
    """
    if not _LINUX:
        return False
    # The kernel copies the program from an address, which only an array tells without ctypes.
    program = array("B", b"".join(struct.pack("HBBI", *step) for step in _DROP_NEW_CONNECTIONS))
    fprog = struct.pack("HP", len(_DROP_NEW_CONNECTIONS), program.buffer_info()[0])
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
    except OSError:
        return False  # the caller goes on as on systems without filters: it drains and closes
    return True


def hear_syns(sock: socket.socket) -> bool:
    """Takes the filter of `drop_syns` away again; False where there was none."""
    if not _LINUX:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOPROTOOPT):
            raise
        return False
    return True


def accept_queue(sock: socket.socket) -> tuple[int, int] | None:
    """(connections waiting to be accepted, how many may wait) of a listening TCP socket, or None.

    For a socket that listens, Linux reports both in fields of `tcp_info` that mean something else on
    a connection: `tcpi_unacked` and `tcpi_sacked`.
    """
    if not _LINUX or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    if len(info) < 32 or info[0] != _TCP_LISTEN:
        return None
    waiting, limit = struct.unpack_from("II", info, 24)
    return waiting, limit
