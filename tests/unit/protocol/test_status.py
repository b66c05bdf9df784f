"""Status lines and statuses without content."""

from __future__ import annotations

import pytest

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.status import StatusLines, has_no_content, reason


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("200 OK", (b"HTTP/1.1 200 OK\r\n", 200, False)),
        ("299", (b"HTTP/1.1 299 \r\n", 299, False)),
        ("204 No Content", (b"HTTP/1.1 204 No Content\r\n", 204, True)),
        ("404 Gr\xfc\xdfe", (b"HTTP/1.1 404 Gr\xfc\xdfe\r\n", 404, False)),
    ],
)
def test_status_lines(status, line):
    assert StatusLines()[status] == line


@pytest.mark.parametrize(
    "status", ["", "OK", "20 OK", "2000 OK", "200OK", "200 OK\r\nX: y", "200 \x00", 200, "099 x", "200 €"]
)
def test_bad_status_lines(status):
    with pytest.raises(ResponseError, match="status"):
        StatusLines()[status]


def test_no_content():
    assert [code for code in (100, 101, 103, 200, 204, 205, 304, 404) if has_no_content(code)] == [
        100,
        101,
        103,
        204,
        304,
    ]


def test_reasons():
    assert reason(431) == "Request Header Fields Too Large"
    assert reason(299) == ""
