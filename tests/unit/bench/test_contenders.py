"""The contenders as data: every name exists, every version is pinned, every command can be filled in."""

from __future__ import annotations

import pytest

from bench.contenders import CONTENDERS, OURS, PACKAGES
from bench.workloads import BEST_OF, WORKLOADS, Kind


def test_names_are_names_of_contenders() -> None:
    named = {name for workload in WORKLOADS for name in (*workload.who, *workload.quick)}
    named |= {target.who for workload in WORKLOADS for target in workload.targets}
    named |= {peer for workload in WORKLOADS for target in workload.targets if target.against for peer in target.peers}
    assert named <= set(CONTENDERS)
    assert not set(BEST_OF) & set(CONTENDERS)


def test_a_target_speaks_of_contenders_that_run() -> None:
    for workload in WORKLOADS:
        for target in workload.targets:
            assert {target.who, *(target.peers if target.against else ())} <= set(workload.who), workload.name
        assert set(workload.quick) <= set(workload.who), workload.name


def test_names_of_workloads_are_their_own() -> None:
    names = [workload.name for workload in WORKLOADS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_versions_are_pinned(package: str) -> None:
    row = PACKAGES[package]
    assert all(requirement.count("==") == 1 for requirement in row.requirements)
    assert bool(row.server) is (package != OURS)


def test_distribution_is_the_name_pip_knows() -> None:
    assert {package: row.distribution for package, row in PACKAGES.items() if row.distribution != package} == {
        OURS: "gunicorn",
        "gunicorn-asgi": "gunicorn",
    }


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_commands_are_filled_in(name: str) -> None:
    command = CONTENDERS[name].command("module:app", 4321)
    assert command[1] == "-m"
    assert "module:app" in command
    assert any(word.endswith("4321") for word in command)
    assert not any("{" in word for word in command)
    # frames.py fills in the port of each run, and adds the application at the end.
    assert any("{port}" in word for word in CONTENDERS[name].command("", "{port}"))


def test_idle_contenders_are_told_to_be_patient() -> None:
    for workload in WORKLOADS:
        if workload.kind is Kind.IDLE:
            for name in workload.who:
                patient = CONTENDERS[name].command("a:b", 1, patient=True)
                assert patient[: -len(CONTENDERS[name].patient.split())] == CONTENDERS[name].command("a:b", 1)
                assert "600" in patient
