"""The policy's derived bounds and the stamp."""

from __future__ import annotations

import pytest

from gunicorn.protocol.limits import UNLIMITED, HttpPolicy, Leniency, Limits, Stamp


def test_stamp_lines_follow_the_date():
    stamp = Stamp("me", "then")
    assert stamp.lines == b"Server: me\r\nDate: then\r\n"
    stamp.date = "now"
    assert (stamp.date, stamp.lines) == ("now", b"Server: me\r\nDate: now\r\n")
    assert Stamp("").lines == b""


def test_policy_derives_bounds():
    policy = HttpPolicy(Limits(request_line=100, field_size=0))
    assert (policy.longest_request_line, policy.longest_field, policy.plain_head) == (100, UNLIMITED, 100)
    with pytest.raises(AttributeError):
        policy.limits.request_line = 0


def test_policies_learn_apart():
    strict, lenient = HttpPolicy(), HttpPolicy(leniency=Leniency(casefold_method=True))
    assert lenient.request_lines["get / HTTP/1.1"][0] == "GET"
    assert "get / HTTP/1.1" not in strict.request_lines
    assert (HttpPolicy().limits, HttpPolicy().leniency) == (strict.limits, strict.leniency)
