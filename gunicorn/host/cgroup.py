"""How much of the machine is ours: CPU quota, CPU affinity and memory limit, cgroup v1 and v2.

Pure functions over the text of kernel files, and a few that read those files under given roots.
What to do with the numbers (how many workers) is decided elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")

_NO_LIMIT_V1 = 1 << 62
"""v1 says "no limit" by a number near the end of 64 bits, rounded down to pages."""


class CpuShare(NamedTuple):
    """How many CPUs may be used at once. `quota` is in CPUs (1.5), None without one."""

    affinity: int
    quota: float | None

    @property
    def usable(self) -> int:
        """Whole CPUs, at least one: a share of 1.5 keeps two processes busy."""
        if self.quota is None:
            return self.affinity
        return max(1, min(self.affinity, -int(-self.quota // 1)))

    def explain(self) -> str:
        """Where the number comes from, for one log line."""
        quota = "no CPU quota" if self.quota is None else f"CPU quota {self.quota:g}"
        return f"{self.usable} usable CPUs ({self.affinity} in the affinity mask, {quota})"


def cpu_share(root: Path = CGROUP_ROOT, proc: Path = PROC) -> CpuShare:
    """What this process may use now."""
    return CpuShare(_affinity(), cpu_quota(root, proc))


def cpu_quota(root: Path = CGROUP_ROOT, proc: Path = PROC) -> float | None:
    """The tightest CPU quota on the way from our cgroup to the root, in CPUs; None if there is none."""
    groups = parse_cgroups(_text(proc / "self" / "cgroup"))
    quotas = [parse_cpu_max(_text(group / "cpu.max")) for group in _unified(root, groups)]
    quotas += [
        parse_cfs(_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us"))
        for group in _legacy(root, groups, "cpu")
    ]
    return min((quota for quota in quotas if quota is not None), default=None)


def memory_limit(root: Path = CGROUP_ROOT, proc: Path = PROC) -> int | None:
    """The tightest memory limit on the way from our cgroup to the root, in bytes; None if there is none."""
    groups = parse_cgroups(_text(proc / "self" / "cgroup"))
    limits = [parse_bytes(_text(group / "memory.max")) for group in _unified(root, groups)]
    limits += [parse_bytes(_text(group / "memory.limit_in_bytes")) for group in _legacy(root, groups, "memory")]
    return min((limit for limit in limits if limit is not None), default=None)


def parse_cgroups(text: str) -> dict[str, str]:
    """/proc/PID/cgroup as {controller: path}; the unified hierarchy's controller is "" (cgroups(7))."""
    groups = {}
    for line in text.splitlines():
        _, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if first and second:
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def parse_cpu_max(text: str) -> float | None:
    """cpu.max, "QUOTA PERIOD" in microseconds, "max" without a quota; the period may be left out."""
    words = text.split()
    if not words or words[0] == "max":
        return None
    return _ratio(words[0], words[1] if len(words) > 1 else "100000")


def parse_cfs(quota: str, period: str) -> float | None:
    """cpu.cfs_quota_us and cpu.cfs_period_us; a quota of -1 is none."""
    return _ratio(quota.strip(), period.strip())


def parse_bytes(text: str) -> int | None:
    """memory.max or memory.limit_in_bytes; "max", nothing, and v1's huge number mean no limit."""
    digits = text.strip()
    if not digits.isdigit() or int(digits) >= _NO_LIMIT_V1:
        return None
    return int(digits)


def _ratio(quota: str, period: str) -> float | None:
    if not (quota.isdigit() and period.isdigit()) or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)


def _unified(root: Path, groups: dict[str, str]) -> Iterator[Path]:
    if "" in groups:
        for base in (root, root / "unified"):
            yield from _upwards(base, groups[""])


def _legacy(root: Path, groups: dict[str, str], controller: str) -> Iterator[Path]:
    if controller in groups:
        yield from _upwards(root / controller, groups[controller])


def _upwards(base: Path, path: str) -> Iterator[Path]:
    """Our group and its ancestors below `base`, which a container sees as the root of everything.

    A path that leads outside ("/../x", a group of another namespace) or does not exist here is left
    out; its files read as empty.
    """
    relative = PurePosixPath(path.lstrip("/"))
    if ".." not in relative.parts:
        for group in (relative, *relative.parents):
            if group.parts:
                yield base / group
    yield base


def _affinity() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # no such controller, or not Linux: no limit is known
