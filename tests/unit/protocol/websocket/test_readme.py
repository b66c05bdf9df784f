"""The folder's README names the files and numbers that there are."""

from __future__ import annotations

import re
from pathlib import Path

import gunicorn.protocol.websocket as folder
from gunicorn.protocol.websocket import connection

FOLDER = Path(folder.__file__).parent
README = (FOLDER / "README.md").read_text()


def test_every_file_has_its_line():
    named = set(re.findall(r"^\| `(\w+\.py)` \|", README, re.MULTILINE))
    assert named == {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}


def test_numbers_are_those_of_the_code():
    assert f"after {connection.BATCH_COUNT} events or {connection.BATCH_SIZE // 1024} KiB" in README
