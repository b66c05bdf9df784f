"""The contract of the suite (README.md) on BlackSheep."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing

from blacksheep import (
    Application,
    Content,
    Cookie,
    FromQuery,
    Request,
    Response,
    StreamedContent,
    WebSocket,
    WebSocketDisconnectError,
    get,
    head,
    json,
    no_content,
    post,
    redirect,
    text,
    ws,
)
from blacksheep.messages import get_absolute_url_to_path
from blacksheep.server.responses import file as send_file

from tests.frameworks.apps import stage

stage.configure_logging()
app = Application()
shared: dict[str, object] = {}
tasks: set[asyncio.Task[None]] = set()


@app.lifespan
async def lifespan() -> AsyncIterator[None]:
    shared.update(started=stage.started(), requests=[])
    yield
    stage.stopped()


def streamed(kind: bytes, pieces: AsyncIterator[bytes]) -> Response:
    """BlackSheep wants a function that is an asynchronous generator itself."""

    async def provider() -> AsyncIterator[bytes]:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    return Response(200, None, StreamedContent(kind, provider))


def first(request: Request, name: str) -> str:
    return request.query[name][0]


@get("/text")
async def show_text() -> Response:
    return text("hello")


@head("/text")
async def head_of_text() -> Response:
    """BlackSheep wants a handler of its own for HEAD; the server leaves the body out."""
    return text("hello")


@get("/json")
async def show_json() -> Response:
    return json({"message": "grüße", "n": 1})


@post("/json")
async def echo_json(request: Request) -> Response:
    return json(await request.json())


@get("/path/{value}")
async def path(value: str) -> Response:
    return json({"value": value})


@get("/query")
async def query(q: FromQuery[list[str]]) -> Response:
    return json({"q": q.value})


@get("/fields")
async def fields(request: Request) -> Response:
    many = [value.decode("latin-1") for value in request.get_headers(b"x-many")]
    return json({"many": many, "latin": request.get_single_header(b"x-latin").decode("latin-1")})


@get("/answer-fields")
async def answer_fields() -> Response:
    named = [(b"x-many", b"one"), (b"x-many", b"two"), (b"x-latin", "café".encode("latin-1"))]
    return Response(200, named, Content(b"text/plain", b""))


@get("/cookies")
async def cookies(request: Request) -> Response:
    response = json(request.cookies)
    response.set_cookie(Cookie("a", "1"))
    response.set_cookie(Cookie("b", "two"))
    return response


@post("/form")
async def form(request: Request) -> Response:
    data = await request.form()
    return json({name: value if isinstance(value, list) else [value] for name, value in data.items()})


@post("/upload")
async def upload(request: Request) -> Response:
    parts = {part.name.decode(): part for part in await request.multipart()}
    part = parts["file"]
    told = {"name": part.file_name.decode(), "size": len(part.data), "sha256": stage.digest(part.data)}
    return json({**told, "field": parts["field"].data.decode()})


@post("/pieces")
async def pieces(request: Request) -> Response:
    return json(await stage.digested(request.stream(), first(request, "key")))


@get("/events")
async def events(request: Request) -> Response:
    key = first(request, "key")
    return streamed(b"text/event-stream", stage.events(key))


@get("/large")
async def large() -> Response:
    return Response(200, None, Content(b"application/octet-stream", stage.LARGE))


@get("/stream")
async def stream(request: Request) -> Response:
    key, count = first(request, "key"), int(first(request, "pieces"))
    return streamed(b"application/octet-stream", stage.stream(key, count))


@get("/endless")
async def endless(request: Request) -> Response:
    key = first(request, "key")
    return streamed(b"text/plain", stage.endless(key))


@get("/wait")
async def wait(request: Request) -> Response:
    key = first(request, "key")
    stage.mark(key, "began")
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    stage.mark(key, "gone")
    return no_content()


@get("/background")
async def background(request: Request) -> Response:
    """BlackSheep has no background tasks of its own: a task of asyncio, held so that it lives."""
    task = asyncio.create_task(stage.background(first(request, "key")))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return text("accepted")


@get("/crash")
async def crash() -> Response:
    raise RuntimeError("on purpose: the handler broke")


@get("/crash-late")
async def crash_late() -> Response:
    return streamed(b"text/plain", stage.failing())


@get("/state")
async def state(request: Request) -> Response:
    requests = shared["requests"]
    assert isinstance(requests, list)
    requests.append("one more")
    request.scope["state"]["mine"] = "of this request"
    return json({"started": shared["started"], "requests": len(requests)})


@get("/fresh-state")
async def fresh_state(request: Request) -> Response:
    return json({"mine": "mine" in request.scope["state"]})


@get("/context")
async def context(request: Request) -> Response:
    key = request.query.get("key", [""])[0]
    return json(await stage.context(first(request, "value"), key))


@get("/root")
async def root(request: Request) -> Response:
    url = get_absolute_url_to_path(request, "/text").value.decode()
    return json({"root_path": request.scope["root_path"], "url": url})


@get("/file")
async def file() -> Response:
    return send_file(str(stage.download()), "application/octet-stream", file_name="download.bin")


@get("/thread")
def thread() -> Response:
    return json({"main": threading.current_thread() is threading.main_thread()})


@get("/peer")
async def peer(request: Request) -> Response:
    url = f"{request.scheme}://{request.host}{request.url.value.decode()}"
    return json({"client": request.client_ip, "url": url, "version": request.scope["http_version"]})


@get("/empty")
async def empty() -> Response:
    return no_content()


@get("/redirect")
async def redirected() -> Response:
    return redirect("/text")


@get("/marks")
async def marks(request: Request) -> Response:
    return json(stage.marks(first(request, "key")))


@get("/open")
async def open_gate(request: Request) -> Response:
    stage.open_gate(first(request, "key"))
    return text("open")


@ws("/ws/echo")
async def ws_echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive()
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])
    except WebSocketDisconnectError:
        return


@ws("/ws/json")
async def ws_json(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"got": await websocket.receive_json()})
    await websocket.close()


@ws("/ws/subprotocol")
async def ws_subprotocol(websocket: WebSocket) -> None:
    await websocket.accept([stage.ACCEPT_FIELD], websocket.scope["subprotocols"][1])
    await websocket.close()


@ws("/ws/refuse")
async def ws_refuse(websocket: WebSocket) -> None:
    await websocket.close()


@ws("/ws/close")
async def ws_close(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4001, "bye")


@ws("/ws/watch")
async def ws_watch(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnectError as end:
        stage.mark(first(websocket, "key"), str(end.code))


@ws("/ws/room/{name}")
async def ws_room(websocket: WebSocket, name: str) -> None:
    await websocket.accept()
    field = websocket.get_single_header(b"x-one").decode()
    seen = {"name": name, "q": first(websocket, "q"), "cookie": websocket.cookies["a"], "field": field}
    await websocket.send_json({**seen, "scheme": websocket.scope["scheme"]})
    await websocket.close()


@ws("/ws/many")
async def ws_many(websocket: WebSocket) -> None:
    """Ten tasks send fifty messages each while the client sends its own, which are answered too."""
    await websocket.accept()

    async def shout(task: int) -> None:
        for number in range(50):
            await websocket.send_text(f"{task}:{number}")

    shouts = [asyncio.create_task(shout(task)) for task in range(10)]
    for _ in range(100):
        await websocket.send_text("echo " + await websocket.receive_text())
    await asyncio.gather(*shouts)
    await websocket.close()


@ws("/ws/ticking")
async def ws_ticking(websocket: WebSocket) -> None:
    await websocket.accept()
    await stage.ticking(websocket.send_text, first(websocket, "key"))


@ws("/ws/crash")
async def ws_crash(websocket: WebSocket) -> None:
    await websocket.accept()
    raise RuntimeError("on purpose: the open WebSocket broke")


@ws("/ws/crash-early")
async def ws_crash_early(websocket: WebSocket) -> None:
    raise RuntimeError("on purpose: the handshake broke")


@ws("/ws/state")
async def ws_state(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"started": shared["started"], "lifespan": stage.FROM_LIFESPAN.get()})
    await websocket.close()
