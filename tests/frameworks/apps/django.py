"""The contract of the suite (README.md) on Django, its WebSockets on Channels."""

from __future__ import annotations

import asyncio
import json
import threading
from urllib.parse import parse_qs

import django
from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, JsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect as redirect_to
from django.urls import path as place
from django.urls import reverse
from django.views.decorators.http import require_safe

from tests.frameworks.apps import stage

CONSOLE = {"class": "logging.StreamHandler"}
settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the test suite, and nobody else",
    INSTALLED_APPS=["channels"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": CONSOLE},
        "root": {"handlers": ["console"], "level": "WARNING"},
    },
)
django.setup(set_prefix=False)
tasks: set[asyncio.Task[None]] = set()


@require_safe
async def text(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello", content_type="text/plain")


async def show_json(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return JsonResponse(json.loads(request.body))
    return JsonResponse({"message": "grüße", "n": 1})


async def path(request: HttpRequest, value: str) -> HttpResponse:
    return JsonResponse({"value": value})


async def query(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"q": request.GET.getlist("q")})


async def fields(request: HttpRequest) -> HttpResponse:
    """Django joins what was repeated with commas."""
    return JsonResponse({"many": request.headers["x-many"].split(","), "latin": request.headers["x-latin"]})


async def cookies(request: HttpRequest) -> HttpResponse:
    response = JsonResponse(request.COOKIES)
    response.set_cookie("a", "1")
    response.set_cookie("b", "two")
    return response


async def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse(dict(request.POST.lists()))


async def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    content = file.read()
    told = {"name": file.name, "size": len(content), "sha256": stage.digest(content)}
    return JsonResponse({**told, "field": request.POST["field"]})


async def pieces(request: HttpRequest) -> HttpResponse:
    async def body():
        while piece := request.read(1 << 16):
            yield piece

    return JsonResponse(await stage.digested(body(), request.GET["key"]))


async def events(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(stage.events(request.GET["key"]), content_type="text/event-stream")


async def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(stage.LARGE, content_type="application/octet-stream")


async def stream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(stage.stream(request.GET["key"], int(request.GET["pieces"])))


async def endless(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(stage.endless(request.GET["key"]))


async def wait(request: HttpRequest) -> HttpResponse:
    """Django cancels the view of a client that left."""
    key = request.GET["key"]
    stage.mark(key, "began")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        stage.mark(key, "gone")
        raise
    raise AssertionError("unreachable")


async def background(request: HttpRequest) -> HttpResponse:
    """A task of asyncio, held so that it lives: Django brings no background tasks that a server would run."""
    task = asyncio.create_task(stage.background(request.GET["key"]))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return HttpResponse("accepted")


async def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose: the handler broke")


async def crash_late(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(stage.failing())


async def fresh_state(request: HttpRequest) -> HttpResponse:
    seen = "mine" in request.scope.get("state", {})
    request.scope.setdefault("state", {})["mine"] = "of this request"
    return JsonResponse({"mine": seen})


async def context(request: HttpRequest) -> HttpResponse:
    return JsonResponse(await stage.context(request.GET["value"], request.GET.get("key", "")))


async def root(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"root_path": request.META["SCRIPT_NAME"], "url": request.build_absolute_uri(reverse(text))})


def file(request: HttpRequest) -> HttpResponse:
    return FileResponse(stage.download().open("rb"), as_attachment=True, filename="download.bin")


def thread(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"main": threading.current_thread() is threading.main_thread()})


def sync_stream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(f"line {number}\n" for number in range(100))


async def peer(request: HttpRequest) -> HttpResponse:
    told = {"client": request.META["REMOTE_ADDR"], "url": request.build_absolute_uri()}
    return JsonResponse({**told, "version": request.scope["http_version"]})


async def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


async def redirect(request: HttpRequest) -> HttpResponse:
    return redirect_to("/text")


async def marks(request: HttpRequest) -> HttpResponse:
    return JsonResponse(stage.marks(request.GET["key"]), safe=False)


async def open_gate(request: HttpRequest) -> HttpResponse:
    stage.open_gate(request.GET["key"])
    return HttpResponse("open")


async def announce(request: HttpRequest) -> HttpResponse:
    """Sends a message to everyone in a room, from an HTTP request."""
    message = {"type": "room.message", "text": request.GET["text"]}
    await get_channel_layer().group_send(request.GET["room"], message)
    return HttpResponse("announced")


def announce_sync(request: HttpRequest) -> HttpResponse:
    """The same from a synchronous view: its thread borrows the event loop."""
    message = {"type": "room.message", "text": request.GET["text"]}
    async_to_sync(get_channel_layer().group_send)(request.GET["room"], message)
    return HttpResponse("announced")


urlpatterns = [
    place("text", text),
    place("json", show_json),
    place("path/<value>", path),
    place("query", query),
    place("fields", fields),
    place("cookies", cookies),
    place("form", form),
    place("upload", upload),
    place("pieces", pieces),
    place("events", events),
    place("large", large),
    place("stream", stream),
    place("endless", endless),
    place("wait", wait),
    place("background", background),
    place("crash", crash),
    place("crash-late", crash_late),
    place("fresh-state", fresh_state),
    place("context", context),
    place("root", root),
    place("file", file),
    place("thread", thread),
    place("sync-stream", sync_stream),
    place("peer", peer),
    place("empty", empty),
    place("redirect", redirect),
    place("marks", marks),
    place("open", open_gate),
    place("announce", announce),
    place("announce-sync", announce_sync),
]


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data, bytes_data=bytes_data)


class Json(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: object) -> None:
        await self.send_json({"got": content}, close=True)


class Subprotocol(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept(self.scope["subprotocols"][1], [stage.ACCEPT_FIELD])
        await self.close()


class Refuse(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.close()


class Close(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.close(4001, "bye")


class Watch(AsyncWebsocketConsumer):
    async def disconnect(self, code: int) -> None:
        stage.mark(parse_qs(self.scope["query_string"].decode())["key"][0], str(code))


class Room(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        fields = dict(self.scope["headers"])
        asked = parse_qs(self.scope["query_string"].decode())
        seen = {"name": self.scope["url_route"]["kwargs"]["name"], "q": asked["q"][0], "scheme": self.scope["scheme"]}
        cookie = fields[b"cookie"].decode().partition("=")[2]
        await self.send_json({**seen, "cookie": cookie, "field": fields[b"x-one"].decode()}, close=True)


class Many(AsyncWebsocketConsumer):
    """Ten tasks send fifty messages each while the client sends its own, which are answered too."""

    async def connect(self) -> None:
        await self.accept()
        self.answered = 0
        self.shouts = [asyncio.create_task(self.shout(task)) for task in range(10)]

    async def shout(self, task: int) -> None:
        for number in range(50):
            await self.send(f"{task}:{number}")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(f"echo {text_data}")
        self.answered += 1
        if self.answered == 100:
            await asyncio.gather(*self.shouts)
            await self.close()


class Ticking(AsyncWebsocketConsumer):
    """A consumer has one event in hand at a time: what sends by itself is a task."""

    async def connect(self) -> None:
        await self.accept()
        key = parse_qs(self.scope["query_string"].decode())["key"][0]
        self.task = asyncio.create_task(stage.ticking(self.send, key))

    async def disconnect(self, code: int) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()


class Crash(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        raise RuntimeError("on purpose: the open WebSocket broke")


class CrashEarly(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        raise RuntimeError("on purpose: the handshake broke")


class Group(AsyncWebsocketConsumer):
    """What one says everyone in the room hears, and what the views announce."""

    async def connect(self) -> None:
        self.room = self.scope["url_route"]["kwargs"]["name"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()
        await self.send("joined")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send(self.room, {"type": "room.message", "text": text_data})

    async def room_message(self, event: dict[str, str]) -> None:
        await self.send(event["text"])

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room, self.channel_name)
        stage.mark(self.room, "left")


class Threaded(JsonWebsocketConsumer):
    """A synchronous consumer: every event runs in a thread."""

    def receive_json(self, content: object) -> None:
        main = threading.current_thread() is threading.main_thread()
        self.send_json({"got": content, "main": main})


SOCKETS = {
    "ws/echo": Echo,
    "ws/json": Json,
    "ws/subprotocol": Subprotocol,
    "ws/refuse": Refuse,
    "ws/close": Close,
    "ws/watch": Watch,
    "ws/room/<name>": Room,
    "ws/many": Many,
    "ws/ticking": Ticking,
    "ws/crash": Crash,
    "ws/crash-early": CrashEarly,
    "ws/group/<name>": Group,
    "ws/threaded": Threaded,
}
http = get_asgi_application()
app = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter([place(where, consumer.as_asgi()) for where, consumer in SOCKETS.items()]),
    }
)
