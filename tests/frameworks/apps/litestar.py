"""The contract of the suite (README.md) on Litestar."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import State, UploadFile
from litestar.enums import HttpMethod, RequestEncodingType
from litestar.exceptions import WebSocketDisconnect
from litestar.logging import LoggingConfig
from litestar.params import Body
from litestar.response import File, Redirect, Stream

from tests.frameworks.apps import stage

stage.configure_logging()


@contextlib.asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.started = stage.started()
    app.state.requests = []
    yield
    stage.stopped()


@route("/text", http_method=[HttpMethod.GET, HttpMethod.HEAD], media_type=MediaType.TEXT, name="text")
async def text() -> Response[str]:
    return Response("hello", media_type=MediaType.TEXT)


@get("/json")
async def show_json() -> dict[str, object]:
    return {"message": "grüße", "n": 1}


@post("/json", status_code=200)
async def echo_json(data: dict[str, Any]) -> dict[str, Any]:
    return data


@get("/path/{value:str}")
async def path(value: str) -> dict[str, str]:
    return {"value": value}


@get("/query")
async def query(q: list[str]) -> dict[str, list[str]]:
    return {"q": q}


@get("/fields")
async def fields(request: Request) -> dict[str, object]:
    return {"many": request.headers.getall("x-many"), "latin": request.headers["x-latin"]}


@get("/answer-fields")
async def answer_fields() -> Response[bytes]:
    return Response(b"", media_type=MediaType.TEXT, headers={"x-latin": "café"})


@get("/cookies")
async def cookies(request: Request) -> Response[dict[str, str]]:
    response = Response(dict(request.cookies))
    response.set_cookie("a", "1")
    response.set_cookie("b", "two")
    return response


@post("/form", status_code=200)
async def form(request: Request) -> dict[str, list[str]]:
    data = await request.form()
    return {name: data.getall(name) for name in data}


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, object]:
    file: UploadFile = data["file"]
    content = await file.read()
    told = {"name": file.filename, "size": len(content), "sha256": stage.digest(content)}
    return {**told, "field": data["field"]}


@post("/pieces", status_code=200)
async def pieces(request: Request, key: str) -> dict[str, object]:
    return await stage.digested(request.stream(), key)


@get("/events")
async def events(key: str) -> Stream:
    return Stream(stage.events(key), media_type="text/event-stream")


@get("/large")
async def large() -> Response[bytes]:
    return Response(stage.LARGE, media_type="application/octet-stream")


@get("/stream")
async def stream(key: str, pieces: int) -> Stream:
    return Stream(stage.stream(key, pieces))


@get("/endless")
async def endless(key: str) -> Stream:
    return Stream(stage.endless(key))


@get("/wait", status_code=204)
async def wait(request: Request, key: str) -> None:
    """Litestar has no word of its own for a client that left: the handler asks ASGI."""
    stage.mark(key, "began")
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stage.mark(key, "gone")


@get("/background")
async def background(key: str) -> Response[str]:
    return Response("accepted", media_type=MediaType.TEXT, background=BackgroundTask(stage.background, key))


@get("/crash")
async def crash() -> None:
    raise RuntimeError("on purpose: the handler broke")


@get("/crash-late")
async def crash_late() -> Stream:
    return Stream(stage.failing())


@get("/state")
async def show_state(state: State, request: Request) -> dict[str, object]:
    state.requests.append("one more")
    request.scope["state"]["mine"] = "of this request"
    return {"started": state.started, "requests": len(state.requests)}


@get("/fresh-state")
async def fresh_state(request: Request) -> dict[str, bool]:
    return {"mine": "mine" in request.scope["state"]}


@get("/context")
async def context(value: str, key: str = "") -> dict[str, str]:
    return await stage.context(value, key)


@get("/root")
async def root(request: Request) -> dict[str, str]:
    return {"root_path": request.scope["root_path"], "url": request.url_for("text")}


@route("/file", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def file() -> File:
    return File(stage.download(), filename="download.bin")


@get("/thread", sync_to_thread=True)
def thread() -> dict[str, bool]:
    return {"main": threading.current_thread() is threading.main_thread()}


@get("/peer")
async def peer(request: Request) -> dict[str, str]:
    assert request.client
    return {"client": request.client.host, "url": str(request.url), "version": request.scope["http_version"]}


@get("/empty", status_code=204)
async def empty() -> None:
    return None


@get("/redirect", status_code=302)
async def redirect() -> Redirect:
    return Redirect("/text", status_code=302)


@get("/marks")
async def marks(key: str) -> list[str]:
    return stage.marks(key)


@get("/open", media_type=MediaType.TEXT)
async def open_gate(key: str) -> str:
    stage.open_gate(key)
    return "open"


@websocket("/ws/echo")
async def ws_echo(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            await socket.send_text(message["text"])
        else:
            await socket.send_bytes(message["bytes"])


@websocket("/ws/json")
async def ws_json(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({"got": await socket.receive_json()})
    await socket.close()


@websocket("/ws/subprotocol")
async def ws_subprotocol(socket: WebSocket) -> None:
    name, value = stage.ACCEPT_FIELD
    await socket.accept(subprotocols=socket.scope["subprotocols"][1], headers={name.decode(): value.decode()})
    await socket.close()


@websocket("/ws/refuse")
async def ws_refuse(socket: WebSocket) -> None:
    await socket.close()


@websocket("/ws/close")
async def ws_close(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close(4001, "bye")


@websocket("/ws/watch")
async def ws_watch(socket: WebSocket, key: str) -> None:
    await socket.accept()
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect as end:
        stage.mark(key, str(end.code))


@websocket("/ws/room/{name:str}")
async def ws_room(socket: WebSocket, name: str, q: str) -> None:
    await socket.accept()
    seen = {"name": name, "q": q, "scheme": socket.url.scheme}
    await socket.send_json({**seen, "cookie": socket.cookies["a"], "field": socket.headers["x-one"]})
    await socket.close()


@websocket("/ws/many")
async def ws_many(socket: WebSocket) -> None:
    """Ten tasks send fifty messages each while the client sends its own, which are answered too."""
    await socket.accept()

    async def shout(task: int) -> None:
        for number in range(50):
            await socket.send_text(f"{task}:{number}")

    shouts = [asyncio.create_task(shout(task)) for task in range(10)]
    for _ in range(100):
        await socket.send_text("echo " + await socket.receive_text())
    await asyncio.gather(*shouts)
    await socket.close()


@websocket("/ws/ticking")
async def ws_ticking(socket: WebSocket, key: str) -> None:
    await socket.accept()
    await stage.ticking(socket.send_text, key)


@websocket("/ws/crash")
async def ws_crash(socket: WebSocket) -> None:
    await socket.accept()
    raise RuntimeError("on purpose: the open WebSocket broke")


@websocket("/ws/crash-early")
async def ws_crash_early(socket: WebSocket) -> None:
    raise RuntimeError("on purpose: the handshake broke")


@websocket("/ws/state")
async def ws_state(socket: WebSocket, state: State) -> None:
    await socket.accept()
    await socket.send_json({"started": state.started, "lifespan": stage.FROM_LIFESPAN.get()})
    await socket.close()


HTTP = [
    *(text, show_json, echo_json, path, query, fields, answer_fields, cookies, form, upload, pieces, events, large),
    *(stream, endless, wait, background, crash, crash_late, show_state, fresh_state, context, root, file, thread),
    *(peer, empty, redirect, marks, open_gate),
]
SOCKETS = [
    *(ws_echo, ws_json, ws_subprotocol, ws_refuse, ws_close, ws_watch, ws_room, ws_many, ws_crash, ws_crash_early),
    *(ws_ticking, ws_state),
]
LOGGING = LoggingConfig(
    log_exceptions="always",
    disable_stack_trace={400, 404, 405},
    # Instead of the queue and its thread: the suite looks at the log right after the request.
    handlers={"queue_listener": {"class": "logging.StreamHandler", "level": "DEBUG"}},
)
app = Litestar([*HTTP, *SOCKETS], lifespan=[lifespan], logging_config=LOGGING, openapi_config=None)
