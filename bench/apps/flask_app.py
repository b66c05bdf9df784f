"""A small Flask application: what a preloaded tree shares and how soon it answers."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "Hello, world!\n"
