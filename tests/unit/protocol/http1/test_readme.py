"""The README of this folder against the code: every rule that can refuse a request is named there."""

from __future__ import annotations

import re
from pathlib import Path

import gunicorn.protocol

PROTOCOL = Path(gunicorn.protocol.__file__).parent
RULE = re.compile(r'ProtocolError\(\s*\d+,\s*f?"([a-z0-9-]+)')
FAMILIES = {"chunk-": "chunk-*", "incomplete-": "incomplete-head", "duplicate-": "duplicate-host"}


def test_every_rule_is_named():
    readme = (PROTOCOL / "http1" / "README.md").read_text()
    named = set(re.findall(r"[a-z0-9*-]+", readme))
    sources = [*PROTOCOL.glob("*.py"), *(PROTOCOL / "http1").glob("*.py")]
    rules = {rule for source in sources for rule in RULE.findall(source.read_text())}
    assert len(rules) > 35
    for prefix, name in FAMILIES.items():
        rules = {name if rule.startswith(prefix) else rule for rule in rules}
    assert sorted(rules - named) == []
