"""replay.py: the requests of a window through two versions; which answers flip, and for whom."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from program_runs import Finished, as_csv, run_all_once
from test_monitoring import COLUMNS, END, capture, row

Replay = Callable[..., tuple[int, str, dict[str, Any]]]


def data(count: int) -> str:
    draw = random.Random(1)
    return as_csv(COLUMNS, [row(draw) for _ in range(count)])


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Finished]:
    """One with all trees, and one with a single stump."""
    settings = {"task": "binary", "target": "y", "positive_class": "yes"}
    return (
        run_all_once(tmp_path_factory, "replayed-whole", data(3000), settings, {"num_round": "20"}),
        run_all_once(
            tmp_path_factory, "replayed-stump", data(3000), settings, {"num_round": "1", "max_depth": "1"}
        ),
    )


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replay:
    import replay as program

    def run(served: Finished, candidate: Finished, lines: Sequence[Any]) -> tuple[int, str, dict[str, Any]]:
        folder = tmp_path / f"replay-{len(list(tmp_path.glob('replay-*')))}"
        inputs = folder / "processing/input"
        for name, of in (("model", served), ("candidate", candidate)):
            shutil.copytree(of.folder / "processing/input/model", inputs / name)
        (inputs / "captures").mkdir()
        (inputs / "captures/a.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        (inputs / "window/windows/w").mkdir(parents=True)
        document = {
            "project": "rc-fraud",
            "environment": "prod",
            "version": 1,
            "candidate": 2,
            "start": (END - timedelta(days=1)).isoformat(),
            "end": END.isoformat(),
        }
        (inputs / "window/windows/w/window.json").write_text(json.dumps(document))
        code = program.main(["--opt-ml", str(folder)])
        capsys.readouterr()
        found = folder / "processing/output/replay/replay.json"
        said = (folder / "output/message").read_text()
        return code, said, json.loads(found.read_text()) if found.is_file() else {}

    return run


def asked(count: int) -> list[dict[str, Any]]:
    draw = random.Random(9)
    return [
        capture(as_csv(None, [row(draw)[:4]]), place, time=END - timedelta(seconds=1 + place))
        for place in range(count)
    ]


def test_the_same_version_flips_nothing(replay: Replay, versions: tuple[Finished, Finished]) -> None:
    code, said, found = replay(versions[0], versions[0], asked(60))
    assert code == 0
    assert (found["rows"], found["flips"], found["becomes"], found["slices"]) == (60, 0, [], [])
    assert said.startswith("version 2 on 60 rows that version 1 answered: 0 answers flip (0 %); a row takes")


def test_flips_are_counted_by_what_becomes_what_and_for_whom(
    replay: Replay, versions: tuple[Finished, Finished]
) -> None:
    whole, stump = versions
    _, _, found = replay(whole, stump, asked(600))
    _, _, turned = replay(stump, whole, asked(600))
    assert found["flips"] == turned["flips"] > 0
    assert sum(one["rows"] for one in found["becomes"]) == found["flips"]
    assert {(one["from"], one["to"], one["rows"]) for one in found["becomes"]} == {
        (one["to"], one["from"], one["rows"]) for one in turned["becomes"]
    }
    # A stump on the amount cannot see the country, which moves the line for those of one.
    assert ("country", "ch") in {(one["column"], one["value"]) for one in found["slices"]}
    for one in found["slices"]:
        assert one["low"] > found["flips"] / found["rows"]
        assert one["rows"] >= 30
    assert found["milliseconds"]["served"] > 0


def test_requests_that_the_candidate_would_refuse_are_counted(
    replay: Replay, versions: tuple[Finished, Finished], tmp_path_factory: pytest.TempPathFactory
) -> None:
    draw = random.Random(1)
    rows = [[*row(draw)[:4], draw.random(), row(draw)[4]] for _ in range(1000)]
    text = as_csv([*COLUMNS[:4], "new", "y"], rows)
    settings = {"task": "binary", "target": "y", "positive_class": "yes"}
    wider = run_all_once(tmp_path_factory, "replayed-wider", text, settings, {"num_round": "2"})
    code, said, found = replay(versions[0], wider, asked(40))
    assert (code, found["rows"], found["refused_by_candidate"]) == (0, 0, 40)
    assert said.endswith("there is nothing to compare")


def test_numbers_move_and_other_tasks_are_refused(
    replay: Replay, versions: tuple[Finished, Finished], progression: Finished
) -> None:
    schema = json.loads((progression.folder / "processing/output/schema/schema.json").read_text())
    names = [feature["name"] for feature in schema["features"]]
    lines = [capture(as_csv(names, [[1] * len(names)]), place) for place in range(5)]
    _, said, found = replay(progression, progression, lines)
    assert found["moved"]["quantiles"] == [[0.5, 0.0], [0.9, 0.0], [0.99, 0.0]]
    assert "answers move: 50 % by at most 0" in said
    code, said, _ = replay(versions[0], progression, lines)
    assert (code, said) == (1, "the versions are of different tasks: binary and regression")
