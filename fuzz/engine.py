"""Makes inputs, runs a target on them for a bounded time, reports in one line.

With atheris inputs are made under coverage of the protocol package; without it by mutation of the seeds, where
an input that made the machine behave in a new way becomes a seed. Knows nothing of HTTP.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from fuzz.invariants import Target

FINDINGS = Path(__file__).resolve().parent / "findings"
LONGEST = 24000


class Run:
    """The state of one run: what was tried, until when, what is new."""

    def __init__(self, target: Target, engine: str, seconds: float, keep_going: bool = False) -> None:
        self.target = target
        self.keep_going = keep_going
        self.findings: dict[str, Path] = {}
        self.engine = engine
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        self.executed = 0
        self.signatures: set[str] = set()

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.deadline

    def one(self, data: bytes) -> bool:
        """Runs one input; True when the machine behaved in a way not seen before.

        Ends the process on a finding, unless it was asked to collect one of each kind.
        """
        self.executed += 1
        try:
            signature = self.target.check(data)
        except Exception as error:
            self.found(data, error)
            return False
        new = signature not in self.signatures
        self.signatures.add(signature)
        return new

    def found(self, data: bytes, error: Exception) -> None:
        kind = f"{type(error).__name__} {re.split('[^a-zA-Z ]', str(error), maxsplit=1)[0]}"
        if kind in self.findings:
            return
        FINDINGS.mkdir(exist_ok=True)
        path = FINDINGS / f"{self.target.name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
        path.write_bytes(data)
        self.findings[kind] = path
        print(f"{path.name}: {''.join(traceback.format_exception(error))}", file=sys.stderr)
        if not self.keep_going:
            self.finish()

    def finish(self) -> NoReturn:
        """Prints the line of statistics and ends the process."""
        elapsed = time.monotonic() - self.started
        verdict = f"{len(self.findings)} FINDINGS in {FINDINGS}" if self.findings else "no finding"
        print(
            f"{self.target.name}: {verdict}; {self.executed} inputs in {elapsed:.1f} s ({self.engine}), "
            f"{len(self.signatures)} behaviours, {len(self.target.seeds)} seeds"
        )
        sys.stdout.flush()
        sys.stderr.flush()
        # libFuzzer turns every exit into its own; this one is ours.
        os._exit(1 if self.findings else 0)


class Mutator:
    """Changes inputs at random places; the same seed makes the same changes."""

    def __init__(self, seed: int, target: Target) -> None:
        self.chance = random.Random(seed)
        self.seeds = target.seeds
        self.words = target.words
        self.ways: tuple[Callable[[bytes], bytes], ...] = (
            self.replace_byte,
            self.flip_bit,
            self.delete,
            self.insert_word,
            self.overwrite_word,
            self.duplicate,
            self.splice,
            self.swap_lines,
            self.append,
        )

    def mutate(self, data: bytes) -> bytes:
        """A few changes, bounded in size."""
        for _ in range(self.chance.choice((1, 1, 2, 3, 5))):
            data = self.chance.choice(self.ways)(data)[:LONGEST]
        return data

    def span(self, data: bytes) -> tuple[int, int]:
        start = self.chance.randrange(len(data) + 1)
        return start, min(len(data), start + self.chance.choice((1, 1, 2, 4, 8, 32, 200)))

    def replace_byte(self, data: bytes) -> bytes:
        start, _ = self.span(data)
        return data[:start] + bytes([self.chance.randrange(256)]) + data[start + 1 :]

    def flip_bit(self, data: bytes) -> bytes:
        if not data:
            return data
        place = self.chance.randrange(len(data))
        return data[:place] + bytes([data[place] ^ (1 << self.chance.randrange(8))]) + data[place + 1 :]

    def delete(self, data: bytes) -> bytes:
        start, end = self.span(data)
        return data[:start] + data[end:]

    def insert_word(self, data: bytes) -> bytes:
        start, _ = self.span(data)
        return data[:start] + self.chance.choice(self.words) + data[start:]

    def overwrite_word(self, data: bytes) -> bytes:
        start, _ = self.span(data)
        word = self.chance.choice(self.words)
        return data[:start] + word + data[start + len(word) :]

    def duplicate(self, data: bytes) -> bytes:
        start, end = self.span(data)
        return data[:end] + data[start:end] * self.chance.choice((1, 1, 1, 2, 30, 3000)) + data[end:]

    def splice(self, data: bytes) -> bytes:
        other = self.chance.choice(self.seeds)
        return data[: self.chance.randrange(len(data) + 1)] + other[self.chance.randrange(len(other) + 1) :]

    def swap_lines(self, data: bytes) -> bytes:
        lines = data.split(b"\r\n")
        first, second = self.chance.randrange(len(lines)), self.chance.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
        return b"\r\n".join(lines)

    def append(self, data: bytes) -> bytes:
        return data + self.chance.choice(self.seeds)


def run_mutations(run: Run, seed: int) -> NoReturn:
    """Mutates until the time is up; the same seed makes the same inputs."""
    target = run.target
    mutator = Mutator(seed, target)
    pool = list(target.seeds)
    for data in target.seeds:
        if run.over:
            break
        run.one(data)
    while not run.over:
        data = mutator.mutate(mutator.chance.choice(pool))
        if run.one(data):
            pool.append(data)
    run.finish()


def _dictionary_line(word: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'


def run_coverage(run: Run, seed: int) -> None:
    """Lets libFuzzer choose, guided by coverage of whatever was imported under instrumentation."""
    import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

    target = run.target

    def one(data: bytes) -> None:
        if run.over:
            run.finish()
        run.one(data)

    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for number, data in enumerate(target.seeds):
            Path(folder, str(number)).write_bytes(data)
        words = Path(folder).with_suffix(".dict")
        words.write_text("".join(map(_dictionary_line, target.words)))
        arguments = [sys.argv[0], f"-max_len={LONGEST}", f"-seed={seed or 1}", f"-dict={words}", "-verbosity=0", folder]
        atheris.Setup(arguments, one)
        atheris.Fuzz()


def main(target: Target, wanted: argparse.Namespace) -> NoReturn:
    """Runs a target as the command line says, or one saved input again. Ends the process; with 1 on a finding."""
    run = Run(target, f"{wanted.engine}, seed {wanted.seed}", wanted.seconds, wanted.keep_going)
    if wanted.replay is not None:
        run.one(wanted.replay.read_bytes())
    elif wanted.engine == "coverage":
        run_coverage(run, wanted.seed)
    else:
        run_mutations(run, wanted.seed)
    run.finish()
