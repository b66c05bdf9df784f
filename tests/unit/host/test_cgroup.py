"""Limits read from trees of files as Linux lays them out."""

import os

import pytest

from gunicorn.host.cgroup import (
    CpuShare,
    cpu_quota,
    cpu_share,
    memory_limit,
    parse_bytes,
    parse_cfs,
    parse_cgroups,
    parse_cpu_max,
)


@pytest.fixture
def tree(tmp_path):
    """A function that writes files below a root and says what /proc/self/cgroup holds."""

    def make(cgroup, files):
        for name, text in {"proc/self/cgroup": cgroup, **{f"root/{name}": files[name] for name in files}}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path / "root", tmp_path / "proc"

    return make


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("150000 100000\n", 1.5),
        ("max 100000\n", None),
        ("max", None),
        ("50000", 0.5),
        ("", None),
        ("0 100000", None),
        ("x y", None),
        ("1 0", None),
    ],
)
def test_cpu_max(text, quota):
    assert parse_cpu_max(text) == quota


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [("200000\n", "100000\n", 2.0), ("-1\n", "100000\n", None), ("", "", None), ("100000", "0", None)],
)
def test_cfs(quota, period, cpus):
    assert parse_cfs(quota, period) == cpus


@pytest.mark.parametrize(
    ("text", "limit"),
    [("536870912\n", 512 << 20), ("max\n", None), ("", None), ("9223372036854771712\n", None), ("0\n", 0)],
)
def test_bytes(text, limit):
    assert parse_bytes(text) == limit


def test_cgroups():
    text = "12:cpu,cpuacct:/docker/a\n5:memory:/x:y\n1:name=systemd:/\n0::/u\nnonsense\n"
    assert parse_cgroups(text) == {
        "cpu": "/docker/a",
        "cpuacct": "/docker/a",
        "memory": "/x:y",
        "name=systemd": "/",
        "": "/u",
    }


def test_version_2_takes_the_tightest_on_the_way_up(tree):
    root, proc = tree(
        "0::/a/b/c\n",
        {
            "a/cpu.max": "200000 100000",
            "a/b/cpu.max": "max 100000",
            "a/b/c/cpu.max": "400000 100000",
            "a/memory.max": "max",
            "a/b/memory.max": "1000",
            "a/b/c/memory.max": "2000",
            "x/cpu.max": "1 100000",
        },
    )
    assert cpu_quota(root, proc) == 2.0
    assert memory_limit(root, proc) == 1000


def test_version_2_inside_a_container(tree):
    """A namespace makes our group the root; an old runtime shows a path that is not mounted."""
    files = {"cpu.max": "50000 100000", "memory.max": "1000"}
    for line in ("0::/\n", "0::/../../elsewhere\n", "0::/docker/abc\n"):
        root, proc = tree(line, files)
        assert (cpu_quota(root, proc), memory_limit(root, proc)) == (0.5, 1000)


def test_version_1(tree):
    root, proc = tree(
        "4:memory:/docker/x\n2:cpu,cpuacct:/docker/x\n",
        {
            "cpu/docker/x/cpu.cfs_quota_us": "300000",
            "cpu/docker/x/cpu.cfs_period_us": "100000",
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/docker/x/memory.limit_in_bytes": "1073741824",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert cpu_quota(root, proc) == 3.0
    assert memory_limit(root, proc) == 1 << 30


def test_hybrid(tree):
    root, proc = tree(
        "2:memory:/\n0::/u\n",
        {"unified/u/cpu.max": "100000 100000", "memory/memory.limit_in_bytes": "4096"},
    )
    assert cpu_quota(root, proc) == 1.0
    assert memory_limit(root, proc) == 4096


def test_no_cgroups_at_all(tmp_path):
    assert cpu_quota(tmp_path, tmp_path) is None
    assert memory_limit(tmp_path, tmp_path) is None


@pytest.mark.parametrize(
    ("affinity", "quota", "usable"),
    [(8, None, 8), (8, 1.5, 2), (8, 2.0, 2), (8, 0.1, 1), (2, 16.0, 2), (1, None, 1)],
)
def test_usable(affinity, quota, usable):
    assert CpuShare(affinity, quota).usable == usable


def test_explained():
    assert CpuShare(8, 1.5).explain() == "2 usable CPUs (8 in the affinity mask, CPU quota 1.5)"
    assert CpuShare(8, None).explain() == "8 usable CPUs (8 in the affinity mask, no CPU quota)"


def test_this_machine():
    assert 1 <= cpu_share().usable <= (os.cpu_count() or 1)
