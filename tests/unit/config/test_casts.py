"""Kinds of values: what is taken, as what, and what is said of the rest."""

import os
import ssl
from pathlib import Path

import pytest

from gunicorn.config import casts
from gunicorn.config.casts import Refusal


def refusal(kind, value):
    with pytest.raises(Refusal) as caught:
        kind.parse(value)
    return caught.value


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("3", 3), (" 3 ", 3), ("0x10", 16), ("0o17", 15), ("0b11", 3), ("007", 7), (3.0, 3), (True, 1), (0, 0)],
)
def test_whole_numbers(value, number):
    assert casts.COUNT.parse(value) == number
    assert type(casts.COUNT.parse(value)) is int


@pytest.mark.parametrize(
    "value", ["", "three", "1.5", "1e3", -1, "-1", 2.5, None, [], float("nan"), float("inf"), "१२x", "0x"]
)
def test_what_is_no_whole_number(value):
    assert "a whole number >= 0" in str(refusal(casts.COUNT, value))


def test_bounds_are_allowed_values():
    kind = casts.whole(1, 3)
    assert [kind.parse(value) for value in (1, 3)] == [1, 3]
    assert str(refusal(kind, 0)) == "0 is not a whole number from 1 to 3"
    assert str(refusal(kind, "4")) == "4 is not a whole number from 1 to 3"


@pytest.mark.parametrize(("value", "seconds"), [(0, 0.0), ("2.5", 2.5), (10, 10.0), ("1e-3", 0.001)])
def test_seconds(value, seconds):
    assert casts.SECONDS.parse(value) == seconds


@pytest.mark.parametrize("value", ["", "10s", -0.1, None, [], float("nan"), "inf"])
def test_what_is_no_number_of_seconds(value):
    assert "a number of seconds" in str(refusal(casts.SECONDS, value))


@pytest.mark.parametrize(
    ("value", "size"),
    [(10, 10), ("10", 10), ("10B", 10), ("64k", 65536), ("64KB", 65536), ("10M", 10 << 20), ("1GiB", 1 << 30)],
)
def test_sizes(value, size):
    assert casts.SIZE.parse(value) == size


@pytest.mark.parametrize("value", ["", "M", "-1", -1, "1.5M", "10T", "10 M x", None])
def test_what_is_no_size(value):
    assert "a number of bytes" in str(refusal(casts.SIZE, value))


@pytest.mark.parametrize(
    ("value", "mode"), [(0o22, 18), ("022", 18), ("0022", 18), ("0o22", 18), ("18", 18), ("0", 0), ("0x12", 18)]
)
def test_modes(value, mode):
    assert casts.MODE.parse(value) == mode


@pytest.mark.parametrize("value", ["089", "rwx", 0o10000, -1, None])
def test_what_is_no_mode(value):
    assert "file mode" in str(refusal(casts.MODE, value))


@pytest.mark.parametrize("word", ["true", "1", "YES", "On", True, 1])
def test_true(word):
    assert casts.BOOLEAN.parse(word) is True


@pytest.mark.parametrize("word", ["false", "0", "no", " off ", False, 0, None])
def test_false(word):
    assert casts.BOOLEAN.parse(word) is False


@pytest.mark.parametrize("word", ["", "maybe", 2, 1.0, [], "yess"])
def test_neither_true_nor_false(word):
    assert "is not true or false" in str(refusal(casts.BOOLEAN, word))


def test_unset_boolean_stays_unset():
    assert casts.OPTIONAL_BOOLEAN.parse(None) is None
    assert casts.OPTIONAL_BOOLEAN.parse("no") is False


def test_text():
    assert casts.TEXT.parse("  a b ") == "a b"
    assert casts.TEXT.parse(None) is None
    assert casts.TEXT.parse(Path("/run/x")) == "/run/x"
    assert str(refusal(casts.TEXT, 3)) == "3 is not a string"
    assert casts.text_or("x").parse(None) == "x"
    assert casts.text_or("x").parse("") == ""


def test_lists():
    assert casts.STRINGS.parse("a,b") == ["a,b"]
    assert casts.STRINGS.parse(("a ", "b", "")) == ["a", "b"]
    assert casts.STRINGS.parse(None) == casts.STRINGS.parse("") == []
    assert casts.COMMA_STRINGS.parse("a, b,") == ["a", "b"]
    assert casts.COMMA_STRINGS.parse(["a,b", "c"]) == ["a", "b", "c"]
    assert "is not a list of strings" in str(refusal(casts.STRINGS, 3))
    assert str(refusal(casts.STRINGS, ["a", 3])) == "3 is not a string"


def test_lists_are_copied():
    mine = ["a"]
    assert casts.STRINGS.parse(mine) is not mine


def test_addresses():
    assert casts.ADDRESSES.parse("127.0.0.1:80,unix:/run/x") == ["127.0.0.1:80", "unix:/run/x"]
    assert casts.ADDRESSES.parse(["[::1]:80"]) == ["[::1]:80"]
    assert "no address" in str(refusal(casts.ADDRESSES, []))
    assert "port" in str(refusal(casts.ADDRESSES, "localhost:http"))


def test_assignments():
    assert casts.ASSIGNMENTS.parse(["A=1", "B=a,b=c", "C="]) == ["A=1", "B=a,b=c", "C="]
    for wrong in ("A", "=1"):
        assert "NAME=VALUE" in str(refusal(casts.ASSIGNMENTS, wrong))


def test_networks_stay_a_string():
    assert casts.NETWORKS.parse(" 10.0.0.0/8, ::1 ,*") == "10.0.0.0/8,::1,*"
    assert casts.NETWORKS.parse(["10.0.0.1", "fe80::/10"]) == "10.0.0.1,fe80::/10"
    assert casts.NETWORKS.parse("") == ""


def test_a_network_with_host_bits_is_refused_with_the_right_one():
    assert refusal(casts.NETWORKS, "10.1.2.3/8").hint == "write 10.0.0.0/8 for the network"
    assert refusal(casts.NETWORKS, "localhost").hint == ""
    assert "'10.0.0.0/33'" in str(refusal(casts.NETWORKS, "10.0.0.0/33"))


def test_mappings():
    assert casts.MAPPING.parse('{"a": [1]}') == {"a": [1]}
    assert casts.MAPPING.parse(None) == {}
    assert "JSON" in str(refusal(casts.MAPPING, "{a}"))
    assert str(refusal(casts.MAPPING, "[1]")) == "[1] is not a dict"
    assert casts.STRING_MAPPING.parse({"A": "b"}) == {"A": "b"}
    assert "string to a string" in str(refusal(casts.STRING_MAPPING, {"A": 1}))


def test_one_of():
    kind = casts.one_of("off", "v1", "auto", label="x", synonyms={True: "auto", "true": "auto", False: "off"})
    assert [kind.parse(value) for value in ("OFF", " v1", True, False, "true")] == ["off", "v1", "auto", "off", "auto"]
    wrong = refusal(kind, "atuo")
    assert str(wrong) == "'atuo' is not one of off, v1, auto"
    assert wrong.hint == "did you mean 'auto'?"
    # 1 == True in a dict, and must not slip through.
    for value in (1.0, None, [], {}):
        assert refusal(kind, value).hint == ""


def test_comma_list_of():
    kind = casts.comma_list_of("h1", "h2", label="x", reserved={"h3": "is reserved"})
    assert kind.parse("H2,h1") == ["h2", "h1"]
    assert kind.parse(["h1"]) == ["h1"]
    assert str(refusal(kind, "h3")) == "'h3' is reserved"
    assert "not one of h1, h2" in str(refusal(kind, "h4"))
    for wrong in ("", "h1,h1"):
        assert "each once" in str(refusal(kind, wrong))


def test_classes():
    kind = casts.named_class("sync", "gthread")
    for value in ("sync", "pkg.mod.Class", "pkg.mod:Class", "egg:dist#name", dict):
        assert kind.parse(value) == value
    assert refusal(kind, "gthred").hint == "did you mean 'gthread'?"
    for value in (None, "", 3):
        assert "neither a class nor" in str(refusal(kind, value))
    assert casts.CLASS.parse("anything") == "anything"


def test_accounts():
    assert casts.USER.parse(None) == os.geteuid()
    assert casts.GROUP.parse("") == os.getegid()
    assert casts.USER.parse("root") == casts.USER.parse("0") == casts.USER.parse(0) == 0
    assert casts.GROUP.parse("root") == 0
    assert str(refusal(casts.USER, "nobody-here")) == "there is no user 'nobody-here' on this system"
    for value in (-1, 1.5, [], True):
        assert "name or number" in str(refusal(casts.GROUP, value))


def test_statsd_addresses():
    assert casts.STATSD.parse("localhost:8125") == ("localhost", 8125)
    assert casts.STATSD.parse("[::1]:8125") == ("::1", 8125)
    assert casts.STATSD.parse(("host", 1)) == ("host", 1)
    assert casts.STATSD.parse("unix:///run/s") == casts.STATSD.parse("unix:/run/s") == "/run/s"
    assert casts.STATSD.parse("/run/s") == "/run/s"
    assert casts.STATSD.parse(None) is casts.STATSD.parse("") is None
    for value in ("localhost", "host:0", "host:70000", "host:x", ":1", "unix:"):
        assert "HOST:PORT" in str(refusal(casts.STATSD, value))


def test_tls_versions_are_those_of_the_ssl_module():
    assert casts.SSL_VERSION.parse("TLS") == casts.SSL_VERSION.parse(ssl.PROTOCOL_TLS) == int(ssl.PROTOCOL_TLS)
    assert casts.SSL_VERSION.parse("PROTOCOL_TLSv1_2") == int(ssl.PROTOCOL_TLSv1_2)
    assert casts.SSL_VERSION.parse("TLS_SERVER") == int(ssl.PROTOCOL_TLS_SERVER)
    assert casts.SSL_VERSION.parse("2") == 2
    for value in ("SSLv3x", 99, None, int(ssl.PROTOCOL_TLS_CLIENT)):
        refusal(casts.SSL_VERSION, value)


def test_closest():
    known = ["workers", "worker_class", "limit_request_line"]
    assert casts.closest("wokers", known) == "workers"
    assert casts.closest("Worker-Class", known) == "worker_class"
    assert casts.closest("zebra", known) == ""


def test_long_values_are_cut_in_messages():
    assert len(casts.shown("x" * 1000)) < 90
    assert casts.shown(test_closest) == "function test_closest"
