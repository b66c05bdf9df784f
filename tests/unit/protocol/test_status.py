"""Status lines and statuses without content."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from gunicorn.protocol.errors import ResponseError
from gunicorn.protocol.status import REASONS, STATUS_TEXT, StatusLines, StatusText, has_no_content, reason


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


def test_every_code_of_the_standard_library_is_there():
    """With the names of RFC 9110, which Python took over with 3.13."""
    renamed = {
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
        422: "Unprocessable Content",
    }
    assert {status.value: status.phrase for status in HTTPStatus} | renamed == REASONS


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (200, "200 OK"),
        (HTTPStatus.NOT_FOUND, "404 Not Found"),
        (422, "422 Unprocessable Content"),
        (299, "299"),
        (100, "100 Continue"),
        (999, "999"),
    ],
)
def test_text_of_a_number(code, text):
    assert STATUS_TEXT[code] == text
    assert StatusLines()[STATUS_TEXT[code]][1] == code


def test_each_text_is_a_status_line_that_can_be_sent():
    lines = StatusLines(capacity=1000)
    assert [lines[text][1] for text in STATUS_TEXT.values()] == list(REASONS)


def test_unknown_numbers_leave_the_table_as_it_was():
    table = StatusText({200: "200 OK"})
    assert [table[code] for code in range(600, 700)] == [str(code) for code in range(600, 700)]
    assert table == {200: "200 OK"}


@pytest.mark.parametrize("code", [0, 1, 99, 1000, -200, True, False, "200", b"200", None, 200.5, "200 OK"])
def test_no_number_of_three_digits_is_an_error(code):
    with pytest.raises(ResponseError, match="three digits"):
        STATUS_TEXT[code]
