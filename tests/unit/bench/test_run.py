"""Who runs: the quick selection, workloads by name, and one side left out."""

from __future__ import annotations

import pytest

from bench.contenders import CONTENDERS, OURS
from bench.run import main, selected


def _run(*arguments: str) -> dict[str, list[str]]:
    return {workload.name: who for workload, who in selected(arguments)}


def test_quick_is_few_workloads_and_few_contenders() -> None:
    quick = _run("--quick")
    assert quick["asgi-hello"] == ["ours asgi", "uvicorn"]
    assert "asgi-browser" not in quick
    assert all(any(CONTENDERS[name].package == OURS for name in who) for who in quick.values())
    assert len({CONTENDERS[name].package for who in quick.values() for name in who}) <= 5


def test_named_workloads_run_whole_even_quickly() -> None:
    for further in ([], ["--quick"]):
        found = _run("--only", "asgi-hello", "asgi-idle", *further)
        assert found == {
            "asgi-hello": ["ours asgi", "uvicorn", "gunicorn asgi", "granian asgi"],
            "asgi-idle": ["ours asgi", "uvicorn"],
        }


def test_a_pattern_names_several() -> None:
    assert set(_run("--only", "asgi-*")) == {name for name in _run() if name.startswith("asgi-")}
    assert set(_run("--only", "asgi-[hb]*", "frames")) == {"asgi-hello", "asgi-browser", "frames"}


def test_one_side_can_be_left_out() -> None:
    assert _run("--only", "asgi-idle", "--ours-only") == {"asgi-idle": ["ours asgi"]}
    assert _run("--only", "asgi-idle", "--peers-only") == {"asgi-idle": ["uvicorn"]}


def test_the_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(_run())


def test_an_unknown_workload_is_refused() -> None:
    with pytest.raises(SystemExit):
        main(["--only", "asgi-goodbye*"])
