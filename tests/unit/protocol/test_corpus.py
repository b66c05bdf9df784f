"""Every record of the request corpus against the HTTP/1.1 machine, whole and cut, and the corpus against itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gunicorn.protocol.errors import ProtocolError
from tests.support import corpus
from tests.support.corpus import CorpusError, Record, Verdict
from tests.support.replay import Replay, machine_for, replay_record

RECORDS = corpus.load()
REJECTED = [record for record in RECORDS if record.ending == "rejected"]


def by_name(record: Record) -> str:
    return f"{record.group}/{record.name}"


def essence(verdict: Verdict) -> Verdict:
    """A verdict without the words of its explanation, which may quote what was there at the time."""
    return replace(verdict, detail="")


@pytest.mark.parametrize("record", RECORDS, ids=by_name)
def test_verdict_is_what_the_law_says(record: Record) -> None:
    verdict = replay_record(record, corpus.whole(record.data))
    wrong = corpus.differences(record, verdict)
    assert not wrong, f"{record.law}: {record.why}\n" + "\n".join(wrong)


@pytest.mark.parametrize("record", RECORDS, ids=by_name)
def test_verdict_does_not_depend_on_how_the_bytes_arrive(record: Record) -> None:
    expected = essence(replay_record(record, corpus.whole(record.data)))
    for name, pieces in corpus.cuttings(record.data):
        assert b"".join(pieces) == record.data
        assert essence(replay_record(record, pieces)) == expected, name


@pytest.mark.parametrize("record", REJECTED, ids=by_name)
def test_refusal_is_explained_and_well_formed(record: Record) -> None:
    connection = Replay(machine_for(record.setting, record.peer))
    connection.feed(record.data)
    error = connection.error
    assert isinstance(error, ProtocolError)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error.rule)
    assert error.section
    assert "\n" not in str(error)
    assert len(str(error)) < 400
    assert connection.machine.fail(error) == b"", "the answer to an error is given once"
    if error.status == 0:
        assert connection.answer == b""
        return
    head, found, body = connection.answer.partition(b"\r\n\r\n")
    assert found
    status_line, *lines = head.decode("ascii").split("\r\n")
    assert re.fullmatch(rf"HTTP/1\.1 {error.status} [A-Z][A-Za-z' -]+", status_line)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert fields["connection"] == "close"
    assert int(fields["content-length"]) == len(body)
    assert error.detail not in body.decode("ascii"), "what the peer sent is for the log, not for an answer"
    assert len(body) < 300


@pytest.mark.parametrize("record", [r for r in REJECTED if "one-mebibyte" in r.name], ids=by_name)
def test_an_endless_line_is_refused_long_before_its_end(record: Record) -> None:
    connection = Replay(machine_for(record.setting, record.peer))
    taken = 0
    for start in range(0, len(record.data), 1024):
        connection.feed(record.data[start : start + 1024])
        taken += 1024
        if connection.over:
            break
    assert connection.error is not None
    assert taken <= 16384


class TestCorpus:
    def test_is_large_and_every_group_is_filled(self) -> None:
        assert len(RECORDS) >= 380
        groups = {record.group for record in RECORDS}
        assert groups == {path.stem for path in corpus.FOLDER.glob("*.http")}

    def test_has_no_record_twice(self) -> None:
        seen: dict[tuple[bytes, object, str], str] = {}
        for record in RECORDS:
            key = (record.data, record.options, record.peer)
            assert key not in seen, f"{record.name} repeats {seen[key]}"
            seen[key] = record.name

    def test_knows_each_kind_of_end_and_status(self) -> None:
        assert {record.ending for record in RECORDS} == {"open", "rejected", "cut"}
        statuses = {min(record.statuses) for record in REJECTED if len(record.statuses) == 1}
        assert statuses >= {400, 413, 414, 417, 431, 501, 505}


class TestDifferences:
    """A judge that lets everything pass would make all of the above worthless."""

    @pytest.fixture
    def record(self) -> Record:
        return next(record for record in RECORDS if record.name == "post-with-body")

    @pytest.fixture
    def verdict(self, record: Record) -> Verdict:
        return replay_record(record, corpus.whole(record.data))

    @pytest.mark.parametrize(
        "change",
        [
            {"method": "PUT"},
            {"target": "/other"},
            {"version": "HTTP/1.0"},
            {"path": "/other"},
            {"query": "a"},
            {"body": b"hell"},
            {"scheme": "https"},
            {"script_name": "/app"},
            {"keep_alive": False},
            {"fields": (("host", "example.com"),)},
            {"trailers": (("x", "y"),)},
            {"upgrade": "websocket"},
            {"expect_continue": True},
            {"variables": {}},
            {"variables": {"HTTP_HOST": "example.com", "CONTENT_LENGTH": "5", "HTTP_X": "y"}},
        ],
    )
    def test_sees_a_changed_request(self, record: Record, verdict: Verdict, change: dict[str, object]) -> None:
        assert corpus.differences(record, verdict) == []
        changed = replace(verdict, requests=(replace(verdict.requests[0], **change),))
        assert corpus.differences(record, changed)

    def test_sees_a_missing_and_a_further_request(self, record: Record, verdict: Verdict) -> None:
        assert corpus.differences(record, replace(verdict, requests=()))
        assert corpus.differences(record, replace(verdict, requests=verdict.requests * 2))

    def test_sees_another_end(self, record: Record, verdict: Verdict) -> None:
        assert corpus.differences(record, replace(verdict, ending="cut"))
        assert corpus.differences(record, replace(verdict, ending="rejected", status=400))

    def test_takes_an_alternative_only_where_one_is_given(self, record: Record) -> None:
        refused = Verdict((), "rejected", 400)
        assert corpus.differences(record, refused)
        assert not corpus.differences(replace(record, alternatives=frozenset({400})), refused)
        assert corpus.differences(replace(record, alternatives=frozenset({417})), refused)


class TestReading:
    @pytest.mark.parametrize(
        ("text", "meaning"),
        [
            (r"a\r\nb", "a\r\nb"),
            (r"\t\s\\n", "\t \\n"),
            (r"\x00\xff", "\x00\xff"),
            (r"\{ab*3}c", "abababc"),
            (r"\{X-\#: y\r\n*2}", "X-0: y\r\nX-1: y\r\n"),
            (r"\{\x00*4}", "\0\0\0\0"),
            ("{a*3}", "{a*3}"),
        ],
    )
    def test_escapes(self, text: str, meaning: str) -> None:
        assert corpus.unescape(text) == meaning

    @pytest.mark.parametrize(
        "text",
        [
            "before the first record",
            "== Bad_Name\nRFC 1 : x\n> a\n< 400\n",
            "== no-law\n> a\n< 400\n",
            "== no-bytes\nRFC 1 : x\n< 400\n",
            "== no-end\nRFC 1 : x\n> a\n",
            "== unknown-fact\nRFC 1 : x\n> a\n< GET / HTTP/1.1\n<   @colour red\n",
            "== after-the-end\nRFC 1 : x\n> a\n< 400\n< GET / HTTP/1.1\n",
            "== bytes-late\nRFC 1 : x\n> a\n< 400\n> b\n",
            "== invisible\nRFC 1 : x\n> a \n< 400\n",
            "== path-open\nRFC 1 : x\n> a\n< GET /%20 HTTP/1.1\n",
        ],
    )
    def test_refuses_what_the_readme_does_not_say(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "group.http"
        path.write_text(text)
        with pytest.raises(CorpusError, match=r"group\.http"):
            list(corpus.read_group(path))

    @pytest.mark.parametrize("length", [1, 2, 100, 5000])
    def test_cuttings_keep_every_byte(self, length: int) -> None:
        data = bytes(number % 256 for number in range(length))
        for name, pieces in corpus.cuttings(data):
            assert b"".join(pieces) == data, name
