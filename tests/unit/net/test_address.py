"""Binds: every form parses, prints back and compares; every mistake has its own text."""

import socket

import pytest

from gunicorn.net.address import UNIX_PATH_MAX, Bind, BindKind, parse_bind, peer_of, show_host_port

FORMS = [
    ("127.0.0.1", Bind(BindKind.TCP, host="127.0.0.1", port=8000), "127.0.0.1:8000"),
    ("127.0.0.1:80", Bind(BindKind.TCP, host="127.0.0.1", port=80), "127.0.0.1:80"),
    (" Example.ORG:81 ", Bind(BindKind.TCP, host="example.org", port=81), "example.org:81"),
    (":9000", Bind(BindKind.TCP, port=9000), "0.0.0.0:9000"),
    ("0.0.0.0:9000", Bind(BindKind.TCP, port=9000), "0.0.0.0:9000"),
    ("localhost:0", Bind(BindKind.TCP, host="localhost", port=0), "localhost:0"),
    ("[::1]:8001", Bind(BindKind.TCP, host="::1", port=8001), "[::1]:8001"),
    ("[::1]", Bind(BindKind.TCP, host="::1", port=8000), "[::1]:8000"),
    ("[0:0::0]:1", Bind(BindKind.TCP, host="::", port=1), "[::]:1"),
    ("[fe80::1%eth0]:1", Bind(BindKind.TCP, host="fe80::1%eth0", port=1), "[fe80::1%eth0]:1"),
    ("unix:/run/app.sock", Bind(BindKind.UNIX, path="/run/app.sock"), "unix:/run/app.sock"),
    ("unix:///run/app.sock", Bind(BindKind.UNIX, path="/run/app.sock"), "unix:/run/app.sock"),
    ("unix:app.sock", Bind(BindKind.UNIX, path="app.sock"), "unix:app.sock"),
    ("unix:@name", Bind(BindKind.UNIX, path="\0name"), "unix:@name"),
    ("unix:/a b/ü:1", Bind(BindKind.UNIX, path="/a b/ü:1"), "unix:/a b/ü:1"),
    ("fd://3", Bind(BindKind.FD, fd=3), "fd://3"),
    ("http://127.0.0.1:80", Bind(BindKind.TCP, host="127.0.0.1", port=80, protocol="http"), "http://127.0.0.1:80"),
    ("https://h/", Bind(BindKind.TCP, host="h", port=8000, protocol="https"), "https://h:8000"),
    ("uwsgi://:3031", Bind(BindKind.TCP, port=3031, protocol="uwsgi"), "uwsgi://0.0.0.0:3031"),
    ("uwsgi://unix:/a", Bind(BindKind.UNIX, path="/a", protocol="uwsgi"), "uwsgi://unix:/a"),
    ("uwsgi://fd://4", Bind(BindKind.FD, fd=4, protocol="uwsgi"), "uwsgi://fd://4"),
    ("tcp://127.0.0.1:80", Bind(BindKind.TCP, host="127.0.0.1", port=80), "127.0.0.1:80"),
]


@pytest.mark.parametrize(("text", "bind", "shown"), FORMS)
def test_forms(text, bind, shown):
    assert parse_bind(text) == bind
    assert str(bind) == shown
    assert parse_bind(shown) == bind


def test_default_port_is_the_callers():
    assert parse_bind("h", default_port=5).port == 5
    assert parse_bind("[::1]", default_port=5).port == 5


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("8000", "written :8000"),
        ("::1", "[::1]:8000"),
        ("::1:8000", "brackets"),
        ("[::1", "[::1]:8000"),
        ("[::1]8000", "[::1]:8000"),
        ("[nope]:80", "not an IPv6 address"),
        ("h:", "not a port number"),
        ("h:http", "'http' is not a port number"),
        ("h:-1", "not a port number"),
        ("h:٨", "not a port number"),
        ("h:65536", "above 65535"),
        ("ho st:80", "neither a host name"),
        ("ftp://h:80", "'ftp'"),
        ("unix:", "no path"),
        ("unix:@", "no path"),
        ("unix://", "no path"),
        ("unix:a\0b", "NUL"),
        ("unix:/" + "x" * UNIX_PATH_MAX, f"{UNIX_PATH_MAX + 1} bytes"),
        ("fd://", "number of an open descriptor"),
        ("fd://x", "number of an open descriptor"),
        ("fd://-1", "number of an open descriptor"),
    ],
)
def test_mistakes_are_named(text, part):
    with pytest.raises(ValueError, match="address") as caught:
        parse_bind(text)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_longest_unix_path_is_allowed():
    path = "/" + "x" * (UNIX_PATH_MAX - 1)
    assert parse_bind(f"unix:{path}").path == path


def test_abstract_is_told_from_a_path():
    assert parse_bind("unix:@x").is_abstract
    assert not parse_bind("unix:/x").is_abstract


@pytest.mark.parametrize(
    ("address", "family", "peer"),
    [
        (("127.0.0.1", 5), socket.AF_INET, ("127.0.0.1", "5", False)),
        (("::1", 5, 0, 0), socket.AF_INET6, ("::1", "5", False)),
        (("fe80::1%eth0", 5, 0, 2), socket.AF_INET6, ("fe80::1", "5", False)),
        (("::ffff:10.1.2.3", 5, 0, 0), socket.AF_INET6, ("10.1.2.3", "5", False)),
        (("::ffff:0:1", 5, 0, 0), socket.AF_INET6, ("::ffff:0:1", "5", False)),
        ("", socket.AF_UNIX, ("", "", True)),
        (b"\0x", socket.AF_UNIX, ("", "", True)),
    ],
)
def test_peer_of(address, family, peer):
    assert peer_of(address, family) == peer


def test_host_and_port_shown():
    assert show_host_port("", 1) == "0.0.0.0:1"
    assert show_host_port("::", 1) == "[::]:1"
