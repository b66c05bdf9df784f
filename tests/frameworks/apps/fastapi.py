"""The contract of the suite (README.md) on FastAPI: typed parameters, dependencies, models."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import (
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    Query,
    Request,
    Response,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

from tests.frameworks.apps import stage

stage.configure_logging()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    yield {"started": stage.started(), "requests": []}
    stage.stopped()


app = FastAPI(lifespan=lifespan)


class Message(BaseModel):
    message: str
    n: int


async def cleaned_up(key: str) -> AsyncIterator[str]:
    """A dependency that does its clearing up after the response."""
    yield key
    stage.mark(key, "cleaned up")


@app.api_route("/text", methods=["GET", "HEAD"], response_class=PlainTextResponse)
async def text() -> str:
    return "hello"


@app.get("/json")
async def show_json() -> Message:
    return Message(message="grüße", n=1)


@app.post("/json")
async def echo_json(message: Message) -> Message:
    return message


@app.get("/path/{value}")
async def path(value: str) -> dict[str, str]:
    return {"value": value}


@app.get("/query")
async def query(q: Annotated[list[str], Query()]) -> dict[str, list[str]]:
    return {"q": q}


@app.get("/fields")
async def fields(
    x_many: Annotated[list[str], Header()], x_latin: Annotated[str, Header()]
) -> dict[str, str | list[str]]:
    return {"many": x_many, "latin": x_latin}


@app.get("/answer-fields")
async def answer_fields(response: Response) -> None:
    response.headers.append("x-many", "one")
    response.headers.append("x-many", "two")
    response.headers["x-latin"] = "café"


@app.get("/cookies")
async def cookies(
    response: Response, seen: Annotated[str, Cookie()] = "", other: Annotated[str, Cookie()] = ""
) -> dict[str, str]:
    response.set_cookie("a", "1")
    response.set_cookie("b", "two")
    return {name: value for name, value in (("seen", seen), ("other", other)) if value}


@app.post("/form")
async def form(name: Annotated[list[str], Form()], city: Annotated[list[str], Form()]) -> dict[str, list[str]]:
    return {"name": name, "city": city}


@app.post("/upload")
async def upload(file: Annotated[UploadFile, File()], field: Annotated[str, Form()]) -> dict[str, object]:
    content = await file.read()
    told = {"name": file.filename, "size": len(content), "sha256": stage.digest(content)}
    return {**told, "field": field}


@app.post("/pieces")
async def pieces(request: Request, key: str) -> dict[str, object]:
    return await stage.digested(request.stream(), key)


@app.get("/events")
async def events(key: str) -> StreamingResponse:
    return StreamingResponse(stage.events(key), media_type="text/event-stream")


@app.get("/large")
async def large() -> Response:
    return Response(stage.LARGE, media_type="application/octet-stream")


@app.get("/stream")
async def stream(key: str, pieces: int) -> StreamingResponse:
    return StreamingResponse(stage.stream(key, pieces))


@app.get("/endless")
async def endless(key: str) -> StreamingResponse:
    return StreamingResponse(stage.endless(key))


@app.get("/wait", status_code=204)
async def wait(request: Request, key: str) -> None:
    stage.mark(key, "began")
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    stage.mark(key, "gone")


@app.get("/background", response_class=PlainTextResponse)
async def background(key: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(stage.background, key)
    return "accepted"


@app.get("/dependency")
async def dependency(key: Annotated[str, Depends(cleaned_up)]) -> dict[str, list[str]]:
    return {"marks": stage.marks(key)}


@app.get("/crash")
async def crash() -> None:
    raise RuntimeError("on purpose: the handler broke")


@app.get("/crash-late")
async def crash_late() -> StreamingResponse:
    return StreamingResponse(stage.failing())


@app.get("/state")
async def state(request: Request) -> dict[str, object]:
    request.state.requests.append("one more")
    request.state.mine = "of this request"
    return {"started": request.state.started, "requests": len(request.state.requests)}


@app.get("/fresh-state")
async def fresh_state(request: Request) -> dict[str, bool]:
    return {"mine": hasattr(request.state, "mine")}


@app.get("/context")
async def context(value: str, key: str = "") -> dict[str, str]:
    return await stage.context(value, key)


@app.get("/root")
async def root(request: Request) -> dict[str, str]:
    return {"root_path": request.scope["root_path"], "url": str(request.url_for("text"))}


@app.get("/hints", response_class=PlainTextResponse)
async def hints(request: Request) -> str:
    await request.send_early_hints("</style.css>; rel=preload; as=style")
    return "hinted"


@app.api_route("/file", methods=["GET", "HEAD"])
async def file() -> FileResponse:
    return FileResponse(stage.download(), filename="download.bin")


@app.get("/thread")
def thread() -> dict[str, bool]:
    return {"main": threading.current_thread() is threading.main_thread()}


@app.get("/peer")
async def peer(request: Request) -> dict[str, str]:
    assert request.client
    return {"client": request.client.host, "url": str(request.url), "version": request.scope["http_version"]}


@app.get("/empty", status_code=204)
async def empty() -> None:
    return None


@app.get("/redirect")
async def redirect() -> RedirectResponse:
    return RedirectResponse("/text", status_code=302)


@app.get("/marks")
async def marks(key: str) -> list[str]:
    return stage.marks(key)


@app.get("/open", response_class=PlainTextResponse)
async def open_gate(key: str) -> str:
    stage.open_gate(key)
    return "open"


@app.websocket("/ws/echo")
async def ws_echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is not None:
            await websocket.send_text(message["text"])
        else:
            await websocket.send_bytes(message["bytes"])


@app.websocket("/ws/json")
async def ws_json(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"got": await websocket.receive_json()})
    await websocket.close()


@app.websocket("/ws/subprotocol")
async def ws_subprotocol(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol=websocket.scope["subprotocols"][1], headers=[stage.ACCEPT_FIELD])
    await websocket.close()


@app.websocket("/ws/refuse")
async def ws_refuse(websocket: WebSocket) -> None:
    await websocket.close()


@app.websocket("/ws/denial")
async def ws_denial(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("no token", 401, {"x-why": "token"}))


@app.websocket("/ws/close")
async def ws_close(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4001, "bye")


@app.websocket("/ws/watch")
async def ws_watch(websocket: WebSocket, key: str) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect as end:
        stage.mark(key, f"{end.code} {end.reason}".strip())


@app.websocket("/ws/room/{name}")
async def ws_room(
    websocket: WebSocket,
    name: str,
    q: str,
    a: Annotated[str, Cookie()],
    x_one: Annotated[str, Header()],
) -> None:
    await websocket.accept()
    seen = {"name": name, "q": q, "cookie": a, "field": x_one, "scheme": websocket.url.scheme}
    await websocket.send_json(seen)
    await websocket.close()


@app.websocket("/ws/many")
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


@app.websocket("/ws/ticking")
async def ws_ticking(websocket: WebSocket, key: str) -> None:
    await websocket.accept()
    await stage.ticking(websocket.send_text, key)


@app.websocket("/ws/crash")
async def ws_crash(websocket: WebSocket) -> None:
    await websocket.accept()
    raise RuntimeError("on purpose: the open WebSocket broke")


@app.websocket("/ws/crash-early")
async def ws_crash_early(websocket: WebSocket) -> None:
    raise RuntimeError("on purpose: the handshake broke")


@app.websocket("/ws/state")
async def ws_state(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"started": websocket.state.started, "lifespan": stage.FROM_LIFESPAN.get()})
    await websocket.close()
