"""A hello of FastAPI: a route, its dependency resolution and JSON."""

from __future__ import annotations

from fastapi import FastAPI


async def index() -> dict[str, str]:
    return {"message": "Hello, world!"}


app = FastAPI()
app.add_api_route("/", index)
