"""What a plain start imports: modules that only some settings need stay out of everybody's way."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.house.survey import ROOT

ABSENT = frozenset(
    {"ssl", "logging.config", "logging.handlers", "configparser", "tempfile", "json", "difflib", "urllib.parse"}
    | {"dataclasses", "inspect", "ast", "pathlib", "datetime", "random", "base64", "shlex", "pickle", "subprocess"}
    | {"asyncio", "h2", "websockets", "prometheus_client", "gunicorn.config.render", "gunicorn.workers.reloader"}
)
"""Together a third of the time from the command to the first answer, when all of them were imported."""

# As installed: neither site-packages' .pth files nor the import hook of an editable checkout count.
SHOW = "import sys; sys.path.insert(0, {!r}); import {}; print(*sys.modules)"


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_a_plain_start_imports_what_it_needs(worker: str) -> None:
    names = f"gunicorn.app.wsgiapp, gunicorn.workers.{worker}"
    assert ABSENT & _imported(names) == set()


def test_the_list_bites() -> None:
    assert {"ssl", "logging.config"} <= ABSENT & _imported("ssl, logging.config")


def _imported(names: str) -> set[str]:
    command = [sys.executable, "-I", "-S", "-c", SHOW.format(str(ROOT), names)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(done.stdout.split())
