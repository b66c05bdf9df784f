"""Spans of files: sent by the kernel or copied, in order, to slow clients, to none, and cut short."""

from __future__ import annotations

import os

import pytest

from gunicorn.bridge.exchange import ClientGone
from gunicorn.drivers.aio.files import READ_BLOCK, read_blocks
from tests.unit.drivers.aio.stand import GET, TIMES, body, start

SIZE = 3_000_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1000) * (SIZE // 1000))
    return path


def sends(path, *before):
    async def app(scope, receive, send):
        try:
            await send(start())
            for message in before:
                await send(message)
            with open(path, "rb", buffering=0) as opened:
                await send({"type": "http.response.zerocopysend", "file": opened})
        except BaseException as error:
            app.raised.append(error)
            raise

    app.raised = []
    return app


@pytest.mark.parametrize("sendfile", [True, False])
@pytest.mark.parametrize("before", [(), (body(b"first", more=True),)])
async def test_a_file_and_what_comes_before_and_after(stand, file, sendfile, before):
    server = stand(sends(file, *before), sendfile=sendfile, response_buffer=100_000)
    client = await server.connect()
    content = b"".join(message["body"] for message in before) + file.read_bytes()
    await client.send(GET + GET)
    for _ in range(2):
        assert (await client.answer()).body == content
    assert (await client.ask()).body == content


@pytest.mark.parametrize("sendfile", [True, False])
async def test_a_client_that_leaves(stand, file, sendfile):
    app = sends(file)
    server = stand(app, sendfile=sendfile, response_buffer=100_000)
    client = await server.connect()
    await client.send(GET)
    await client._until(b"\r\n\r\n")
    client.close()
    await server.until(lambda: app.raised)
    assert isinstance(app.raised[0], ClientGone)
    assert server.said.crashes == []
    await server.until(lambda: not server.service.connections)


async def test_a_client_that_stops_reading(stand, file):
    app = sends(file)
    server = stand(app, times=TIMES._replace(write=0.05))
    client = await server.connect()
    await client.send(GET)
    await server.until(lambda: app.raised)
    assert isinstance(app.raised[0], ClientGone)
    await server.until(lambda: not server.service.connections)


@pytest.mark.parametrize("sendfile", [True, False])
async def test_a_file_that_becomes_shorter_cuts_the_answer(stand, file, sendfile):
    app = sends(file)
    server = stand(app, sendfile=sendfile, response_buffer=100_000)
    client = await server.connect()
    await client.send(GET)
    await client._until(b"\r\n\r\n")
    os.truncate(file, 1000)
    assert len(await client.rest()) < SIZE
    assert "shorter" in str(app.raised[0])
    assert server.said.crashes == app.raised


async def test_blocks(loop, file):
    fd = os.open(file, os.O_RDONLY)
    try:
        blocks = [block async for block in read_blocks(loop, fd, 10, READ_BLOCK + 5)]
        assert [len(block) for block in blocks] == [READ_BLOCK, 5]
        assert b"".join(blocks) == file.read_bytes()[10 : READ_BLOCK + 15]
        assert [block async for block in read_blocks(loop, fd, 0, 0)] == []
        with pytest.raises(OSError, match="shorter"):
            [block async for block in read_blocks(loop, fd, SIZE - 5, 10)]
    finally:
        os.close(fd)
