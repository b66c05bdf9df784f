"""Every way to break the ASGI message format, one a path. What `send` raised, and where, is told by `/raised`.

A page answers as it should have done first if the server lets the breach pass.
"""

from __future__ import annotations

from tests.apps.asgi import speak

RAISED: list[str] = []
START = {"type": "http.response.start", "status": 200, "headers": [speak.PLAIN]}
BODY = {"type": "http.response.body", "body": b"ok"}
MORE = {"type": "http.response.body", "body": b"ok", "more_body": True}

BEFORE_THE_HEAD = {
    "body-first": [BODY],
    "unknown-type": [{"type": "http.response.begin"}],
    "no-type": [{"status": 200}],
    "not-a-message": ["http.response.start"],
    "start-twice": [START, START],
    "no-status": [{"type": "http.response.start", "headers": []}, BODY],
    "text-status": [{**START, "status": "200"}, BODY],
    "status-out-of-range": [{**START, "status": 99}, BODY],
    "status-1xx": [{**START, "status": 101}, BODY],
    "text-value": [{**START, "headers": [(b"x-name", "value")]}, BODY],
    "headers-of-one": [{**START, "headers": [(b"x-name",)]}, BODY],
    "headers-not-a-list": [{**START, "headers": 5}, BODY],
    "newline-in-value": [{**START, "headers": [(b"x", b"a\r\nb: c")]}, BODY],
    "space-in-name": [{**START, "headers": [(b"x y", b"z")]}, BODY],
    "empty-name": [{**START, "headers": [(b"", b"z")]}, BODY],
    "text-body": [START, {**BODY, "body": "text"}],
    "number-body": [START, {**BODY, "body": 5}],
    "websocket-message": [{"type": "websocket.accept"}],
    "lifespan-message": [{"type": "lifespan.startup.complete"}],
    "trailers-first": [{"type": "http.response.trailers", "headers": []}],
    "bad-length": [{**START, "headers": [(b"content-length", b"five")]}, BODY],
    "two-lengths": [{**START, "headers": [(b"content-length", b"2"), (b"content-length", b"3")]}, BODY],
}
"""Breaches that come before anything was sent: the client gets a 500.

What a head holds may be judged when it is sent, with the first message of the body (ASGI lets servers wait for it).
"""

AFTER_THE_HEAD = {
    "start-after-body": [START, MORE, START],
    "text-body-later": [START, MORE, {**BODY, "body": "text"}],
    "unknown-later": [START, MORE, {"type": "http.response.end"}],
}
"""Breaches in the middle of an answer: it is cut off."""

AFTER_THE_END = {
    "body-after-end": [START, BODY, BODY],
    "start-after-end": [START, BODY, START],
    "trailers-unannounced": [START, BODY, {"type": "http.response.trailers", "headers": []}],
}
"""Breaches after an answer that is complete: the client has it."""

FAULTS = {**BEFORE_THE_HEAD, **AFTER_THE_HEAD, **AFTER_THE_END}


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    name = scope["path"][1:]
    if name == "raised":
        await speak.answer_json(send, RAISED)
    elif name == "returns":
        return
    elif name == "returns-in-the-middle":
        await send(START)
        await send(MORE)
    elif name == "returns-after-start":
        await send(START)
    elif name == "swallows":
        await swallows(send)
    else:
        for message in FAULTS[name]:
            await misbehave(name, send, message)


async def misbehave(name, send, message):
    """The frame a traceback must show: the breach is the application's, and so is the stack."""
    try:
        await send(message)
    except Exception as error:
        RAISED.append(f"{name}: {type(error).__name__}: {error}")
        raise


async def swallows(send):
    """Catches what its first message raises, and answers well after all."""
    try:
        await send({"type": "nonsense"})
    except Exception:
        await speak.answer(send, b"well after all")
