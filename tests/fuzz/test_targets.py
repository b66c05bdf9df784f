"""The fuzz targets as they are started: bounded, one line of statistics, an exit code that tells."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "fuzz" / target), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("target", ["fuzz_head.py", "fuzz_chunked.py"])
def test_runs_bounded_and_finds_nothing(target: str) -> None:
    done = run(target, "--seconds", "0.5", "--engine", "mutation")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\w+: no finding; \d+ inputs in [\d.]+ s \(mutation, seed 0\), .*\n", done.stdout)


def test_replays_a_saved_input(tmp_path: Path) -> None:
    saved = tmp_path / "input.bin"
    saved.write_bytes(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    done = run("fuzz_head.py", "--engine", "mutation", "--replay", str(saved))
    assert done.returncode == 0, done.stderr
    assert "1 inputs" in done.stdout


def test_a_finding_is_saved_and_told(tmp_path: Path) -> None:
    script = tmp_path / "target.py"
    script.write_text(
        "import argparse, pathlib, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from fuzz import engine, invariants\n"
        "def check(data):\n"
        "    if b'x' in data:\n"
        "        raise invariants.Finding('an x was seen')\n"
        "    return str(len(data))\n"
        f"engine.FINDINGS = pathlib.Path({str(tmp_path)!r})\n"
        "target = invariants.Target('plant', check, [b'ab'], [b'x'])\n"
        "wanted = dict(engine='mutation', seed=1, seconds=20.0, keep_going=False, replay=None)\n"
        "engine.main(target, argparse.Namespace(**wanted))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "an x was seen" in done.stderr
    assert done.stdout.startswith("plant: 1 FINDINGS")
    (saved,) = tmp_path.glob("plant-*.bin")
    assert b"x" in saved.read_bytes()
