"""The contract of the suite (README.md) on Starlette."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.frameworks.apps import stage

stage.configure_logging()


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, object]]:
    yield {"started": stage.started(), "requests": []}
    stage.stopped()


async def text(request: Request) -> Response:
    return PlainTextResponse("hello")


async def show_json(request: Request) -> Response:
    return JSONResponse({"message": "grüße", "n": 1})


async def echo_json(request: Request) -> Response:
    return JSONResponse(await request.json())


async def path(request: Request) -> Response:
    return JSONResponse({"value": request.path_params["value"]})


async def query(request: Request) -> Response:
    return JSONResponse({"q": request.query_params.getlist("q")})


async def fields(request: Request) -> Response:
    return JSONResponse({"many": request.headers.getlist("x-many"), "latin": request.headers["x-latin"]})


async def answer_fields(request: Request) -> Response:
    response = PlainTextResponse("", headers={"x-latin": "café"})
    response.headers.append("x-many", "one")
    response.headers.append("x-many", "two")
    return response


async def cookies(request: Request) -> Response:
    response = JSONResponse(request.cookies)
    response.set_cookie("a", "1")
    response.set_cookie("b", "two")
    return response


async def form(request: Request) -> Response:
    async with request.form() as data:
        return JSONResponse({name: data.getlist(name) for name in data})


async def upload(request: Request) -> Response:
    async with request.form() as data:
        content = await data["file"].read()
        told = {"name": data["file"].filename, "size": len(content), "sha256": stage.digest(content)}
        return JSONResponse({**told, "field": data["field"]})


async def pieces(request: Request) -> Response:
    return JSONResponse(await stage.digested(request.stream(), request.query_params["key"]))


async def events(request: Request) -> Response:
    return StreamingResponse(stage.events(request.query_params["key"]), media_type="text/event-stream")


async def large(request: Request) -> Response:
    return Response(stage.LARGE, media_type="application/octet-stream")


async def stream(request: Request) -> Response:
    return StreamingResponse(stage.stream(request.query_params["key"], int(request.query_params["pieces"])))


async def endless(request: Request) -> Response:
    return StreamingResponse(stage.endless(request.query_params["key"]))


async def wait(request: Request) -> Response:
    key = request.query_params["key"]
    stage.mark(key, "began")
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    stage.mark(key, "gone")
    return Response(status_code=204)


async def background(request: Request) -> Response:
    return PlainTextResponse("accepted", background=BackgroundTask(stage.background, request.query_params["key"]))


async def crash(request: Request) -> Response:
    raise RuntimeError("on purpose: the handler broke")


async def crash_late(request: Request) -> Response:
    return StreamingResponse(stage.failing())


async def state(request: Request) -> Response:
    request.state.requests.append("one more")
    request.state.mine = "of this request"
    return JSONResponse({"started": request.state.started, "requests": len(request.state.requests)})


async def fresh_state(request: Request) -> Response:
    return JSONResponse({"mine": hasattr(request.state, "mine")})


async def context(request: Request) -> Response:
    return JSONResponse(await stage.context(request.query_params["value"], request.query_params.get("key", "")))


async def root(request: Request) -> Response:
    return JSONResponse({"root_path": request.scope["root_path"], "url": str(request.url_for("text"))})


async def hints(request: Request) -> Response:
    await request.send_early_hints("</style.css>; rel=preload; as=style")
    return PlainTextResponse("hinted")


async def file(request: Request) -> Response:
    return FileResponse(stage.download(), filename="download.bin")


def thread(request: Request) -> Response:
    return JSONResponse({"main": threading.current_thread() is threading.main_thread()})


async def peer(request: Request) -> Response:
    assert request.client
    version = request.scope["http_version"]
    return JSONResponse({"client": request.client.host, "url": str(request.url), "version": version})


async def empty(request: Request) -> Response:
    return Response(status_code=204)


async def redirect(request: Request) -> Response:
    return RedirectResponse("/text", status_code=302)


async def marks(request: Request) -> Response:
    return JSONResponse(stage.marks(request.query_params["key"]))


async def open_gate(request: Request) -> Response:
    stage.open_gate(request.query_params["key"])
    return PlainTextResponse("open")


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


async def ws_json(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"got": await websocket.receive_json()})
    await websocket.close()


async def ws_subprotocol(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol=websocket.scope["subprotocols"][1], headers=[stage.ACCEPT_FIELD])
    await websocket.close()


async def ws_refuse(websocket: WebSocket) -> None:
    await websocket.close()


async def ws_denial(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("no token", 401, {"x-why": "token"}))


async def ws_close(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4001, "bye")


async def ws_watch(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect as end:
        stage.mark(websocket.query_params["key"], f"{end.code} {end.reason}".strip())


async def ws_room(websocket: WebSocket) -> None:
    await websocket.accept()
    seen = {"name": websocket.path_params["name"], "q": websocket.query_params["q"]}
    seen |= {"cookie": websocket.cookies["a"], "field": websocket.headers["x-one"], "scheme": websocket.url.scheme}
    await websocket.send_json(seen)
    await websocket.close()


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


async def ws_ticking(websocket: WebSocket) -> None:
    await websocket.accept()
    await stage.ticking(websocket.send_text, websocket.query_params["key"])


async def ws_crash(websocket: WebSocket) -> None:
    await websocket.accept()
    raise RuntimeError("on purpose: the open WebSocket broke")


async def ws_crash_early(websocket: WebSocket) -> None:
    raise RuntimeError("on purpose: the handshake broke")


async def ws_state(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"started": websocket.state.started, "lifespan": stage.FROM_LIFESPAN.get()})
    await websocket.close()


ROUTES = {
    "/text": text,
    "/json": show_json,
    "/path/{value}": path,
    "/query": query,
    "/fields": fields,
    "/answer-fields": answer_fields,
    "/cookies": cookies,
    "/events": events,
    "/large": large,
    "/stream": stream,
    "/endless": endless,
    "/wait": wait,
    "/background": background,
    "/crash": crash,
    "/crash-late": crash_late,
    "/state": state,
    "/fresh-state": fresh_state,
    "/context": context,
    "/root": root,
    "/hints": hints,
    "/file": file,
    "/thread": thread,
    "/peer": peer,
    "/empty": empty,
    "/redirect": redirect,
    "/marks": marks,
    "/open": open_gate,
}
POSTS = {"/json": echo_json, "/form": form, "/upload": upload, "/pieces": pieces}
SOCKETS = {
    "/ws/echo": ws_echo,
    "/ws/json": ws_json,
    "/ws/subprotocol": ws_subprotocol,
    "/ws/refuse": ws_refuse,
    "/ws/denial": ws_denial,
    "/ws/close": ws_close,
    "/ws/watch": ws_watch,
    "/ws/room/{name}": ws_room,
    "/ws/many": ws_many,
    "/ws/ticking": ws_ticking,
    "/ws/crash": ws_crash,
    "/ws/crash-early": ws_crash_early,
    "/ws/state": ws_state,
}

app = Starlette(
    routes=[
        *(Route(place, handler, name=handler.__name__) for place, handler in ROUTES.items()),
        *(Route(place, handler, methods=["POST"]) for place, handler in POSTS.items()),
        *(WebSocketRoute(place, handler) for place, handler in SOCKETS.items()),
    ],
    lifespan=lifespan,
)
