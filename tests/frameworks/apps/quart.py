"""The contract of the suite (README.md) on Quart."""

from __future__ import annotations

import asyncio
import threading

from quart import (
    Quart,
    Response,
    current_app,
    jsonify,
    redirect,
    request,
    send_file,
    url_for,
    websocket,
)

from tests.frameworks.apps import stage

stage.configure_logging()
app = Quart(__name__)


@app.before_serving
async def startup() -> None:
    app.started = stage.started()
    app.requests = []


@app.after_serving
async def shutdown() -> None:
    stage.stopped()


@app.get("/text")
async def text() -> Response:
    return Response("hello", mimetype="text/plain")


@app.get("/json")
async def show_json() -> Response:
    return jsonify(message="grüße", n=1)


@app.post("/json")
async def echo_json() -> Response:
    return jsonify(await request.get_json())


@app.get("/path/<value>")
async def path(value: str) -> Response:
    return jsonify(value=value)


@app.get("/query")
async def query() -> Response:
    return jsonify(q=request.args.getlist("q"))


@app.get("/fields")
async def fields() -> Response:
    return jsonify(many=request.headers.getlist("x-many"), latin=request.headers["x-latin"])


@app.get("/answer-fields")
async def answer_fields() -> Response:
    response = Response("", mimetype="text/plain")
    response.headers.add("x-many", "one")
    response.headers.add("x-many", "two")
    response.headers["x-latin"] = "café"
    return response


@app.get("/cookies")
async def cookies() -> Response:
    response = jsonify(dict(request.cookies))
    response.set_cookie("a", "1")
    response.set_cookie("b", "two")
    return response


@app.post("/form")
async def form() -> Response:
    return jsonify(dict((await request.form).lists()))


@app.post("/upload")
async def upload() -> Response:
    file = (await request.files)["file"]
    content = file.read()
    told = {"name": file.filename, "size": len(content), "sha256": stage.digest(content)}
    return jsonify(**told, field=(await request.form)["field"])


@app.post("/pieces")
async def pieces() -> Response:
    return jsonify(await stage.digested(request.body, request.args["key"]))


@app.get("/events")
async def events() -> Response:
    response = Response(stage.events(request.args["key"]), mimetype="text/event-stream")
    response.timeout = None
    return response


@app.get("/large")
async def large() -> Response:
    return Response(stage.LARGE, mimetype="application/octet-stream")


@app.get("/stream")
async def stream() -> Response:
    return Response(stage.stream(request.args["key"], int(request.args["pieces"])))


@app.get("/endless")
async def endless() -> Response:
    return Response(stage.endless(request.args["key"]))


@app.get("/wait")
async def wait() -> Response:
    """Quart cancels the handler of a client that left."""
    key = request.args["key"]
    stage.mark(key, "began")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        stage.mark(key, "gone")
        raise
    raise AssertionError("unreachable")


@app.get("/background")
async def background() -> Response:
    current_app.add_background_task(stage.background, request.args["key"])
    return Response("accepted", mimetype="text/plain")


@app.get("/crash")
async def crash() -> Response:
    raise RuntimeError("on purpose: the handler broke")


@app.get("/crash-late")
async def crash_late() -> Response:
    return Response(stage.failing())


@app.get("/state")
async def state() -> Response:
    app.requests.append("one more")
    request.scope["state"]["mine"] = "of this request"
    return jsonify(started=app.started, requests=len(app.requests))


@app.get("/fresh-state")
async def fresh_state() -> Response:
    return jsonify(mine="mine" in request.scope["state"])


@app.get("/context")
async def context() -> Response:
    return jsonify(await stage.context(request.args["value"], request.args.get("key", "")))


@app.get("/root")
async def root() -> Response:
    return jsonify(root_path=request.root_path, url=url_for("text", _external=True))


@app.route("/file")
async def file() -> Response:
    return await send_file(stage.download(), as_attachment=True, conditional=True)


@app.get("/thread")
def thread() -> dict[str, bool]:
    return {"main": threading.current_thread() is threading.main_thread()}


@app.get("/peer")
async def peer() -> Response:
    return jsonify(client=request.remote_addr, url=request.url, version=request.http_version)


@app.get("/empty")
async def empty() -> tuple[str, int]:
    return "", 204


@app.get("/redirect")
async def redirected() -> Response:
    return redirect("/text", 302)


@app.get("/marks")
async def marks() -> Response:
    return jsonify(stage.marks(request.args["key"]))


@app.get("/open")
async def open_gate() -> str:
    stage.open_gate(request.args["key"])
    return "open"


@app.websocket("/ws/echo")
async def ws_echo() -> None:
    while True:
        await websocket.send(await websocket.receive())


@app.websocket("/ws/json")
async def ws_json() -> None:
    await websocket.send_json({"got": await websocket.receive_json()})


@app.websocket("/ws/subprotocol")
async def ws_subprotocol() -> None:
    name, value = stage.ACCEPT_FIELD
    await websocket.accept(headers={name.decode(): value.decode()}, subprotocol=websocket.requested_subprotocols[1])


@app.websocket("/ws/refuse")
async def ws_refuse() -> None:
    await websocket.close(1000)


@app.websocket("/ws/denial")
async def ws_denial() -> tuple[str, int, dict[str, str]]:
    return "no token", 401, {"x-why": "token"}


@app.websocket("/ws/close")
async def ws_close() -> None:
    await websocket.accept()
    await websocket.close(4001, "bye")


@app.websocket("/ws/watch")
async def ws_watch() -> None:
    """Quart cancels the handler of a client that closed, and keeps the code to itself."""
    await websocket.accept()
    try:
        while True:
            await websocket.receive()
    except asyncio.CancelledError:
        stage.mark(websocket.args["key"], "closed")
        raise


@app.websocket("/ws/room/<name>")
async def ws_room(name: str) -> None:
    seen = {"name": name, "q": websocket.args["q"], "scheme": websocket.scheme}
    seen |= {"cookie": websocket.cookies["a"], "field": websocket.headers["x-one"]}
    await websocket.send_json(seen)


@app.websocket("/ws/many")
async def ws_many() -> None:
    """Ten tasks send fifty messages each while the client sends its own, which are answered too."""
    await websocket.accept()
    connection = websocket._get_current_object()

    async def shout(task: int) -> None:
        for number in range(50):
            await connection.send(f"{task}:{number}")

    shouts = [asyncio.create_task(shout(task)) for task in range(10)]
    for _ in range(100):
        await connection.send("echo " + await connection.receive())
    await asyncio.gather(*shouts)


@app.websocket("/ws/ticking")
async def ws_ticking() -> None:
    await stage.ticking(websocket.send, websocket.args["key"])


@app.websocket("/ws/crash")
async def ws_crash() -> None:
    await websocket.accept()
    raise RuntimeError("on purpose: the open WebSocket broke")


@app.websocket("/ws/crash-early")
async def ws_crash_early() -> None:
    raise RuntimeError("on purpose: the handshake broke")


@app.websocket("/ws/state")
async def ws_state() -> None:
    await websocket.send_json({"started": app.started, "lifespan": stage.FROM_LIFESPAN.get()})
