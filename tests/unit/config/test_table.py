"""The rows of the table against the facts every deployment relies on (tests/data/settings.json)."""

import json
from pathlib import Path

import pytest

from gunicorn.config import TABLE, Settings
from gunicorn.config.option import Action

FACTS = json.loads((Path(__file__).parents[2] / "data" / "settings.json").read_text())
COMPUTED = {"(current directory)", "(effective id)", "(see compat.md)", "hook"}
OURS = {
    *("header_timeout", "body_timeout", "write_timeout", "tls_handshake_timeout", "limit_request_body"),
    *("request_buffering", "spool_threshold", "response_buffer", "permit_missing_host", "boot_timeout"),
    *("max_boot_failures", "log_format", "access_log_skip", "interface", "asgi_block_threshold"),
    *("websocket_ping_interval", "websocket_ping_timeout", "websocket_permessage_deflate"),
}


def test_every_known_setting_is_there():
    assert len(FACTS) == 120
    assert {fact["name"] for fact in FACTS} == {name for name, row in TABLE.items() if not row.ours}


def test_additions_are_listed():
    assert {name for name, row in TABLE.items() if row.ours} == OURS


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["name"])
def test_row_is_spelled_as_known(fact):
    row = TABLE[fact["name"]]
    assert list(row.flags) == fact["flags"]
    assert row.metavar == fact["metavar"]
    assert row.action.value == (fact["action"] or "store")
    assert row.section == fact["section"]
    assert row.kind.label == fact["kind"]


@pytest.mark.parametrize(
    "fact", [fact for fact in FACTS if str(fact["default"]) not in COMPUTED], ids=lambda fact: fact["name"]
)
def test_default_is_as_known(fact):
    row = TABLE[fact["name"]]
    assert getattr(Settings(), fact["name"]) == row.check(fact["default"])


@pytest.mark.parametrize("name", TABLE)
def test_default_passes_its_own_check(name):
    value = TABLE[name].make_default()
    if name == "post_request":
        assert callable(TABLE[name].check(value))
    else:
        assert TABLE[name].check(value) == value


@pytest.mark.parametrize("name", TABLE)
def test_row_is_explained(name):
    row = TABLE[name]
    assert len(row.doc.partition("\n")[0]) > 20
    assert row.doc.count("`") % 2 == 0
    assert row.section


def test_flags_are_unique():
    flags = [flag for row in TABLE.values() for flag in row.flags]
    assert len(set(flags)) == len(flags)
    assert not {"-h", "--help", "-v", "--version", "--source"} & set(flags)


def test_switches_are_switches():
    for row in TABLE.values():
        if row.action in (Action.TRUE, Action.FALSE):
            assert row.kind.label == "bool", row.name
        if row.action is Action.APPEND:
            assert isinstance(row.default, list), row.name


def test_features_to_come_say_so():
    late = {name for name, row in TABLE.items() if row.later}
    prefixes = ("http2_", "dirty_", "control_")
    assert {name for name in TABLE if name.startswith(prefixes)} <= late
    assert not {"workers", "bind", "timeout", "certfile", "proxy_protocol", "root_path", "interface"} & late
    assert not {name for name in TABLE if name.startswith(("asgi_", "websocket_"))} & late
