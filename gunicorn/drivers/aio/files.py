"""Spans of files under an event loop: sent by the kernel where the transport allows it, else read in blocks.

Knows descriptors and loops; what the bytes mean is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from gunicorn.bridge.exchange import ClientGone

if TYPE_CHECKING:
    from gunicorn.drivers.aio.transport import LoopTransport

READ_BLOCK = 262_144
SENDFILE_BLOCK = 1 << 20


async def read_blocks(loop: asyncio.AbstractEventLoop, fd: int, offset: int, count: int) -> AsyncIterator[bytes]:
    """The span in blocks, read beside the loop: a disk may take its time. Raises OSError when it is cut short."""
    while count:
        block = await loop.run_in_executor(None, os.pread, fd, min(count, READ_BLOCK), offset)
        if not block:
            raise OSError("the file became shorter while it was sent")
        offset += len(block)
        count -= len(block)
        yield block


async def send_span(connection: LoopTransport, fd: int, offset: int, count: int) -> None:
    """Sends the span behind what is queued. Raises ClientGone, and OSError where the file is cut short.

    The kernel sends what it can (sendfile); under TLS, and where the loop holds the descriptor for itself, blocks
    are copied.
    """
    connection.flush()
    transport = connection.transport
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("sslcontext") is not None or not connection.service.sendfile:
        async for block in read_blocks(connection.service.loop, fd, offset, count):
            connection.send(block)
            await connection.drain()
            if connection.transport is not transport:
                raise ClientGone("the client left before the answer was complete")
        return
    await _flushed(connection)
    if transport.is_closing():
        raise ClientGone("the client left before the answer was complete")
    # A descriptor of our own: loops refuse to watch one that a transport uses.
    out = os.dup(sock.fileno())
    try:
        while count and connection.transport is transport:
            try:
                sent = os.sendfile(out, fd, offset, min(count, SENDFILE_BLOCK))
            except (BlockingIOError, InterruptedError):
                await _writable(connection, out)
                continue
            except OSError as error:
                # Nothing is read meanwhile: the loop would not see that the connection is broken.
                connection.abort()
                raise ClientGone(str(error)) from None
            if not sent:
                raise OSError("the file became shorter while it was sent")
            offset += sent
            count -= sent
    finally:
        os.close(out)
    if count:
        raise ClientGone("the client left before the answer was complete")


async def _flushed(connection: LoopTransport) -> None:
    """Waits until nothing is queued: the file's bytes go past the queue."""
    transport = connection.transport
    if transport.is_closing():
        return
    transport.set_write_buffer_limits(0)
    try:
        if transport.get_write_buffer_size():
            connection.full = True
        await connection.drain()
    finally:
        # A transport that is closed takes no settings (uvloop).
        if not transport.is_closing():
            transport.set_write_buffer_limits(connection.service.response_buffer)


async def _writable(connection: LoopTransport, fd: int) -> None:
    """Waits until the kernel has room, no longer than the client may stop reading."""
    service = connection.service
    ready = service.loop.create_future()
    service.loop.add_writer(fd, _set, ready)
    try:
        await asyncio.wait_for(ready, service.write_ns / 1e9)
    except TimeoutError:
        connection.abort()
        raise ClientGone("the client stopped reading") from None
    finally:
        service.loop.remove_writer(fd)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
