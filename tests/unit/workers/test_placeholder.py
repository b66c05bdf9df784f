"""The pages that stand in for a broken application, asked in both languages."""

import asyncio

import pytest

from gunicorn.workers.placeholder import asgi_page, wsgi_page

TEXT = "caf\udce9 \N{SNOWMAN}"


def test_wsgi_survives_any_text():
    answers = []
    body = wsgi_page(TEXT)({}, lambda status, fields: answers.append((status, dict(fields))))
    ((status, fields),) = answers
    assert status == "500 Internal Server Error"
    assert fields["Content-Length"] == str(len(b"".join(body)))
    assert b"".join(body) == "caf\\udce9 \N{SNOWMAN}".encode()


def asked(kind, *messages):
    sent = []
    waiting = list(messages)

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(asgi_page(TEXT)({"type": kind}, receive, send))
    assert not waiting
    return sent


def test_asgi_says_the_same():
    start, body = asked("http")
    assert start["type"] == "http.response.start"
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-length"] == b"%d" % len(body["body"])
    assert body == {"type": "http.response.body", "body": "caf\\udce9 \N{SNOWMAN}".encode()}


@pytest.mark.parametrize(
    ("kind", "heard", "said"),
    [
        (
            "lifespan",
            [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}],
            [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}],
        ),
        ("websocket", [], [{"type": "websocket.close"}]),
    ],
)
def test_asgi_starts_up_and_refuses_websockets(kind, heard, said):
    assert asked(kind, *heard) == said
