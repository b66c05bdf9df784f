"""Answers the scope it was called with, as JSON; what JSON cannot hold becomes its repr.

Also tells what belongs to a scope: whether `state` is the request's own copy (`/state`), and whether a context
variable set in the lifespan is seen and one set in a request is not carried on (`/context`).
"""

from __future__ import annotations

import contextvars
import json

from tests.apps.asgi import speak

COLOUR = contextvars.ContextVar("colour", default="none")
VISITS = contextvars.ContextVar("visits", default=0)


def plain(value):
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else repr(value)


async def lifespan(scope, receive, send):
    COLOUR.set("blue")
    scope["state"]["database"] = {"name": "shop"}
    scope["state"]["visits"] = 0
    await speak.lifespan(receive, send)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
        await send({"type": "websocket.send", "text": json.dumps(plain(scope))})
        await send({"type": "websocket.close"})
    elif scope["path"] == "/state":
        scope["state"]["visits"] += 1
        scope["state"]["database"]["seen"] = True
        await speak.answer_json(send, scope["state"])
    elif scope["path"] == "/context":
        VISITS.set(VISITS.get() + 1)
        await speak.answer_json(send, {"colour": COLOUR.get(), "visits": VISITS.get()})
    else:
        types = {name: type(value).__name__ for name, value in scope.items()}
        await speak.answer_json(send, {"scope": plain(scope), "types": types})
        scope["headers"].append((b"spoilt", b"by the application"))
        scope["extensions"]["spoilt"] = {}
