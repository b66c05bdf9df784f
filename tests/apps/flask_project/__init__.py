"""A small Flask project with a factory, a stream, an upload, a cookie and an error."""

from __future__ import annotations

import os

from flask import Flask, Response, abort, jsonify, request, session


def create_app(name: str = "flask", *, debug: bool = False) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only a test"
    app.debug = debug

    @app.get("/")
    def index():
        return f"{os.getpid()} {name} {debug}"

    @app.post("/upload")
    def upload():
        sent = request.files["file"]
        return jsonify(name=sent.filename, size=len(sent.read()), field=request.form["field"])

    @app.get("/stream")
    def stream():
        return Response((f"line {number}\n" for number in range(100)), mimetype="text/plain")

    @app.get("/count")
    def count():
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    @app.get("/url")
    def url():
        return request.url

    @app.get("/teapot")
    def teapot():
        abort(418)

    @app.get("/crash")
    def crash():
        raise RuntimeError("the view crashed")

    return app


app = create_app()
