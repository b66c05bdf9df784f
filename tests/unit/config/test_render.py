"""The pages printed from the table: complete, and the same as the files in docs/."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gunicorn.config import TABLE, Level, Settings, Source
from gunicorn.config.__main__ import main
from gunicorn.config.option import Action
from gunicorn.config.render import help_text, print_config, reference, schema

DOCS = Path(__file__).parents[3] / "docs"


def test_reference_in_docs_is_fresh():
    assert (DOCS / "settings.md").read_text() == reference()


def test_schema_in_docs_is_fresh():
    assert (DOCS / "settings.schema.json").read_text() == schema()


def test_reference_has_every_setting_once():
    assert sorted(re.findall(r"^### (\w+)$", reference(), re.M)) == sorted(TABLE)


def test_reference_has_each_section_once():
    titles = re.findall(r"^## (.+)$", reference(), re.M)
    assert len(set(titles)) == len(titles)
    assert set(titles) == {row.section for row in TABLE.values()}


@pytest.mark.parametrize("name", TABLE)
def test_reference_says_what_the_row_says(name):
    row = TABLE[name]
    entry = reference().split(f"\n### {name}\n")[1].split("\n### ")[0]
    for flag in row.flags:
        assert f"`{flag}" in entry
    assert ("**Not effective yet.**" in entry) == bool(row.later)
    assert ("on restart" in entry) == (not row.live)


def test_help_has_every_flag():
    words = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", help_text()))
    assert {flag for row in TABLE.values() for flag in row.flags} <= words


def test_help_fits_its_width():
    assert max(map(len, help_text().splitlines())) <= 100


def test_help_groups_by_section():
    headings = re.findall(r"^(\S.*):$", help_text(), re.M)
    assert headings[:4] == ["Config File", "Server Socket", "Worker Processes", "Security"]
    assert len(set(headings)) == len(headings)


def test_printed_configuration():
    def mine(server):
        return None

    cfg = Settings().replace(Source(Level.COMMAND_LINE, "-w"), workers=3, on_starting=mine, worker_class=dict)
    lines = dict(line.split(" = ", 1) for line in print_config(cfg).splitlines())
    values = {name.strip(): value for name, value in lines.items()}
    assert list(values) == sorted(TABLE)
    assert values["workers"] == "3"
    assert values["bind"] == "['127.0.0.1:8000']"
    assert values["on_starting"].endswith("test_printed_configuration.<locals>.mine")
    assert values["worker_class"] == "builtins.dict"
    assert "0x" not in print_config(cfg)


def test_printed_sources():
    cfg = Settings().replace(Source(Level.COMMAND_LINE, "-w"), workers=3)
    lines = print_config(cfg, sources=True).splitlines()
    assert len(lines) == len(TABLE)
    assert [line.rpartition("# ")[2] for line in lines if line.startswith("workers ")] == ["command line -w"]
    assert {line.rpartition("# ")[2] for line in lines} == {"default", "command line -w"}


def test_schema_names_every_setting_and_nothing_else():
    page = json.loads(schema())
    assert set(page["properties"]) == set(TABLE) - {"config"}
    assert page["additionalProperties"] is False
    assert page["properties"]["workers"]["minimum"] == 0
    assert page["properties"]["reload_engine"]["enum"] == ["auto", "poll", "inotify"]


@pytest.mark.parametrize("name", [name for name in TABLE if name != "config"])
def test_schema_allows_the_default(name):
    entry = json.loads(schema())["properties"][name]
    if "default" not in entry:
        return
    if "enum" in entry:
        assert entry["default"] in entry["enum"]
        return
    types = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
    named = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    assert named.get(type(entry["default"]), "null") in types


def test_switches_take_no_value_in_help():
    page = help_text()
    for row in TABLE.values():
        if row.flags and row.action in (Action.TRUE, Action.FALSE):
            assert re.search(rf"{re.escape(row.flags[-1])}(  |\n)", page), row.name


def test_command(tmp_path, capsys):
    assert main(["help"]) == 0
    assert capsys.readouterr().out == help_text()
    assert main(["schema", str(tmp_path / "x")]) == 0
    assert (tmp_path / "x").read_text() == schema()
    for wrong in ([], ["nothing"], ["help", "a", "b"]):
        assert main(wrong) == 1
    assert "usage:" in capsys.readouterr().err


def test_reading_settings_imports_neither_ssl_nor_asyncio_nor_logging():
    script = "import sys, gunicorn.config; print({'ssl', 'asyncio', 'logging', 'tomllib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
