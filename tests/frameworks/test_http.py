"""HTTP through each framework: what goes in is what the handler sees, what it answers is what arrives."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

import pytest

from tests.frameworks.apps import stage
from tests.frameworks.served import Served
from tests.support.processes import eventually

COFFEE = "café ☕"
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


@pytest.mark.capability("text")
def test_text(served: Served) -> None:
    response = served.get("/text")
    assert (response.status, response.body) == (200, b"hello")
    assert (response.header("content-type") or "").startswith("text/plain")
    assert response.header("content-length") == "5"
    assert response.header("date")


def test_many_requests_on_one_connection(served: Served) -> None:
    with served.connect() as connection:
        for _ in range(20):
            assert connection.request("GET", "/text").text == "hello"
            assert json.loads(connection.request("GET", "/json").body)["n"] == 1


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    with served.connect() as connection:
        names = [f"n{number}" for number in range(20)]
        for name in names:
            connection.send_request("GET", f"/path/{name}")
        assert [json.loads(connection.read_response().body)["value"] for _ in names] == names


@pytest.mark.capability("json")
def test_json(served: Served) -> None:
    assert served.json("/json") == {"message": "grüße", "n": 1}
    sent = {"message": COFFEE, "n": 3}
    response = served.ask("POST", "/json", [("Content-Type", "application/json")], json.dumps(sent).encode())
    assert (response.status, json.loads(response.body)) == (200, sent)


@pytest.mark.capability("path")
@pytest.mark.parametrize("value", ["plain", COFFEE, "a b", "100%", "a+b", "日本", "q?#"])
def test_path(served: Served, value: str) -> None:
    assert served.json("/path/" + quote(value, safe="+")) == {"value": value}


@pytest.mark.capability("query")
def test_query(served: Served) -> None:
    target = f"/query?q={quote(COFFEE)}&q=two+words&other=1&q=%26%3D"
    assert served.json(target) == {"q": [COFFEE, "two words", "&="]}


@pytest.mark.capability("request fields")
def test_request_fields(served: Served) -> None:
    fields = [("X-Many", "one"), ("X-Latin", "café"), ("x-many", "two"), ("X-MANY", "three")]
    assert served.json("/fields", fields) == {"many": ["one", "two", "three"], "latin": "café"}


@pytest.mark.capability("repeated fields")
def test_repeated_response_fields(served: Served) -> None:
    response = served.get("/answer-fields")
    assert (response.status, response.headers("x-many")) == (200, ["one", "two"])


@pytest.mark.capability("latin-1 fields")
def test_latin_1_response_fields(served: Served) -> None:
    assert served.get("/answer-fields").header("x-latin") == "café"


@pytest.mark.capability("cookies")
def test_cookies(served: Served) -> None:
    response = served.get("/cookies", [("Cookie", "seen=yes; other=2")])
    assert json.loads(response.body) == {"seen": "yes", "other": "2"}
    assert [value.partition(";")[0] for value in response.headers("set-cookie")] == ["a=1", "b=two"]


@pytest.mark.capability("form")
def test_form(served: Served) -> None:
    body = f"name=Anna&name={quote('Jürgen')}&city=New+York".encode()
    response = served.ask("POST", "/form", FORM, body)
    assert response.status == 200, response
    assert json.loads(response.body) == {"name": ["Anna", "Jürgen"], "city": ["New York"]}


@pytest.mark.capability("upload")
def test_upload(served: Served) -> None:
    content = (bytes(range(256)) * 4096)[: 1 << 20]
    boundary = "a7f3c1d9"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n--{boundary}\r\n'
        'Content-Disposition: form-data; name="file"; filename="photo.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += content + f"\r\n--{boundary}--\r\n".encode()
    response = served.ask("POST", "/upload", [("Content-Type", f"multipart/form-data; boundary={boundary}")], body)
    assert response.status == 200, response
    told = {"name": "photo.bin", "size": 1 << 20, "sha256": stage.digest(content), "field": "value"}
    assert json.loads(response.body) == told


@pytest.mark.capability("body")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body(served: Served, key: str, chunked: bool) -> None:
    pieces = [bytes([number]) * 10_000 for number in range(100)]
    whole = b"".join(pieces)
    with served.connect() as connection:
        fields = [("Content-Type", "application/octet-stream")]
        response = connection.request("POST", f"/pieces?key={key}", fields, pieces if chunked else whole)
        assert response.status == 200, response
        assert json.loads(response.body) == {"size": len(whole), "sha256": stage.digest(whole)}
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("body in pieces")
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_is_read_while_it_arrives(served: Served, key: str, chunked: bool) -> None:
    """Each piece is sent only after the handler has seen the one before."""
    sha, total = hashlib.sha256(), 0
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 40000"
    with served.connect() as connection:
        head = f"POST /pieces?key={key} HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n{framing}\r\n"
        connection.send(head.encode() + b"\r\n")
        for number in range(4):
            piece = bytes([number]) * 10_000
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            sha.update(piece)
            total += len(piece)
            served.wait_mark(key, str(total))
        if chunked:
            connection.send(b"0\r\n\r\n")
        response = connection.read_response()
        assert json.loads(response.body) == {"size": 40_000, "sha256": sha.hexdigest()}


def test_a_handler_that_ignores_a_body(served: Served) -> None:
    """The connection lives on, or says that it does not."""
    with served.connect() as connection:
        response = connection.request("POST", "/missing", [], b"x" * 100_000)
        assert response.status == 404
        if response.keeps_alive:
            assert connection.request("GET", "/text").text == "hello"
        else:
            connection.wait_closed()


@pytest.mark.capability("not found")
def test_not_found(served: Served) -> None:
    with served.connect() as connection:
        assert connection.request("GET", "/missing").status == 404
        assert connection.request("GET", "/text").status == 200


@pytest.mark.capability("wrong method")
def test_wrong_method(served: Served) -> None:
    response = served.ask("DELETE", "/text")
    assert response.status == served.framework.answers.get("wrong method", 405)
    if response.status == 405:
        assert "GET" in (response.header("allow") or "")


@pytest.mark.capability("head")
def test_head(served: Served) -> None:
    with served.connect() as connection:
        response = connection.request("HEAD", "/text")
        assert (response.status, response.header("content-length")) == (200, "5")
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("head of a file")
def test_head_of_a_file(served: Served) -> None:
    with served.connect() as connection:
        response = connection.request("HEAD", "/file")
        assert (response.status, response.header("content-length")) == (200, str(stage.FILE_SIZE))
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("exception")
def test_an_exception(served: Served) -> None:
    with served.connect() as connection:
        response = connection.request("GET", "/crash")
        assert response.status == 500
        assert b"on purpose" not in response.body
    assert served.get("/text").text == "hello"
    log = served.server.wait_log("RuntimeError: on purpose: the handler broke")
    assert f"apps/{served.framework.name}.py" in log


@pytest.mark.capability("empty")
def test_empty(served: Served) -> None:
    with served.connect() as connection:
        response = connection.request("GET", "/empty")
        assert (response.status, response.body, response.framing) == (204, b"", "none")
        assert response.header("transfer-encoding") is None
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("redirect")
def test_redirect(served: Served) -> None:
    response = served.get("/redirect")
    assert (response.status, response.header("location")) == (302, "/text")


@pytest.mark.capability("threads")
def test_threads(served: Served) -> None:
    assert served.json("/thread") == {"main": False}


@pytest.mark.capability("peer")
def test_peer(served: Served) -> None:
    told = served.json("/peer?q=1", [("Host", "shop.example:8080")])
    assert told == {"client": "127.0.0.1", "url": "http://shop.example:8080/peer?q=1", "version": "1.1"}


@pytest.mark.capability("file")
def test_file(served: Served) -> None:
    with served.connect() as connection:
        response = connection.request("GET", "/file")
        assert response.status == 200
        assert 'filename="download.bin"' in (response.header("content-disposition") or "").replace(
            "filename=download.bin", 'filename="download.bin"'
        )
        assert stage.digest(response.body) == stage.digest((served.folder / "download.bin").read_bytes())
        assert connection.request("GET", "/text").text == "hello"


@pytest.mark.capability("range")
@pytest.mark.parametrize(
    ("asked", "start", "end"), [("0-0", 0, 1), ("1000-1999", 1000, 2000), ("1048500-", 1048500, None)]
)
def test_range(served: Served, asked: str, start: int, end: int | None) -> None:
    response = served.get("/file", [("Range", f"bytes={asked}")])
    assert response.status == 206
    assert response.body == (served.folder / "download.bin").read_bytes()[start:end]
    assert (response.header("content-range") or "").endswith(f"/{stage.FILE_SIZE}")


@pytest.mark.capability("early hints")
def test_early_hints(served: Served) -> None:
    response = served.get("/hints")
    assert (response.status, response.text) == (200, "hinted")
    assert [hint.status for hint in response.informational] == [103]
    assert response.informational[0].header("link") == "</style.css>; rel=preload; as=style"


@pytest.mark.capability("background")
def test_background(served: Served, key: str) -> None:
    """The response is whole while the work still waits, and the work goes on after the connection has gone."""
    assert served.get(f"/background?key={key}").text == "accepted"
    served.wait_mark(key, "began")
    assert "done" not in served.marks(key)
    served.open(key)
    served.wait_mark(key, "done")


@pytest.mark.capability("dependency")
def test_dependency(served: Served, key: str) -> None:
    assert served.json(f"/dependency?key={key}") == {"marks": []}
    eventually(lambda: served.marks(key) == ["cleaned up"], "the dependency cleared up")
