"""The extensions of ASGI HTTP, one a path: hints by both names, trailers, files by path and by descriptor, debug."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from tests.apps.asgi import speak
from tests.apps.asgi.speak import PLAIN

CONTENT = b"".join(b"%015d\n" % number for number in range(20_000))


def made_file():
    """A file of 320 000 bytes, made once a process."""
    path = Path(tempfile.gettempdir()) / f"asgi-extensions-{os.getpid()}"
    if not path.exists():
        path.write_bytes(CONTENT)
    return path


async def early_hint(send):
    links = [b"</style.css>; rel=preload; as=style", b"</app.js>; rel=preload; as=script"]
    await send({"type": "http.response.early_hint", "links": links})
    await asyncio.sleep(0.4)
    await speak.answer(send, b"hinted")


async def informational(send):
    fields = [(b"link", b"</style.css>; rel=preload; as=style"), (b"x-more", b"1")]
    await send({"type": "http.response.informational", "status": 103, "headers": fields})
    await asyncio.sleep(0.4)
    await speak.answer(send, b"hinted")


async def trailers(send):
    await speak.start(send, fields=[PLAIN, (b"trailer", b"x-sum, x-other")], trailers=True)
    await speak.body(send, b"one ", more=True)
    await speak.body(send, b"two")
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"7")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-other", b"8")]})


async def trailers_of_a_known_length(send):
    """Nowhere to put them in HTTP/1.1: the body counts."""
    await speak.start(send, fields=[PLAIN, (b"content-length", b"3")], trailers=True)
    await speak.body(send, b"two")
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"7")]})


async def pathsend(send):
    path = made_file()
    await speak.start(send, fields=[PLAIN, (b"content-length", str(len(CONTENT)).encode())])
    await send({"type": "http.response.pathsend", "path": str(path)})


async def pathsend_unknown_length(send):
    await speak.start(send)
    await send({"type": "http.response.pathsend", "path": str(made_file())})


async def pathsend_missing(send):
    await speak.start(send)
    await send({"type": "http.response.pathsend", "path": "/no/such/file"})


async def pathsend_relative(send):
    await speak.start(send)
    await send({"type": "http.response.pathsend", "path": "relative"})


async def zerocopysend(send):
    """A middle part, then the start, from one descriptor, with bytes in between."""
    with made_file().open("rb") as file:
        await speak.start(send, fields=[PLAIN, (b"content-length", b"325")])
        part = {"type": "http.response.zerocopysend", "file": file.fileno(), "more_body": True}
        await send({**part, "offset": 160, "count": 160})
        await speak.body(send, b" and ", more=True)
        await send({**part, "offset": 0, "count": 160, "more_body": False})


async def zerocopysend_rest(send):
    """No offset and no count: from where the file stands to its end."""
    with made_file().open("rb") as file:
        file.seek(319_840)
        await speak.start(send)
        await send({"type": "http.response.zerocopysend", "file": file.fileno()})


async def debug(send):
    await send({"type": "http.response.debug", "info": {"template": "home.html"}})
    await speak.answer(send, b"debugged")


PAGES = [
    *(early_hint, informational, trailers, trailers_of_a_known_length, pathsend, pathsend_unknown_length),
    *(pathsend_missing, pathsend_relative, zerocopysend, zerocopysend_rest, debug),
]
ROUTES = {f"/{page.__name__}": page for page in PAGES}


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    if scope["path"] in ROUTES:
        await ROUTES[scope["path"]](send)
    else:
        await speak.answer(send, b"%d" % os.getpid())
