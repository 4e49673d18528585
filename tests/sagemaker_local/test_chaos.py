"""A short run of ``python -m benchmarks.chaos``, which also has to notice a loss."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import chaos
from sagemaker_local import endpoint


def test_nothing_acknowledged_is_lost_and_no_request_fails_while_the_endpoint_is_killed_again_and_again() -> (
    None
):
    command = [
        sys.executable,
        "-m",
        "benchmarks.chaos",
        "--minutes",
        "0.2",
        "--kill-every",
        "4",
        "--seed",
        "1",
    ]
    root = Path(chaos.__file__).parent.parent
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    kills = re.search(r"^(\d+) kills", ended.stdout)
    assert kills is not None
    assert int(kills[1]) >= 2
    for row in ("all writes", "requests"):
        done = re.search(rf"{row} +(?:acknowledged|answered) +([\d,]+) +(?:lost|failed) +0", ended.stdout)
        assert done is not None, ended.stdout
        assert int(done[1].replace(",", "")) > 0


def test_what_was_acknowledged_and_is_not_there_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chaos, "_QUIET_SECONDS", 0.5)
    counts = chaos.Counts()
    with endpoint.start(tmp_path, advertise=True) as started:
        clients = chaos.Clients(started.url)
        chaos.prepare(clients)
        clients("s3").put_object(Bucket=chaos.BUCKET, Key="gone/0/1", Body=b"not deleted")
        for kind in chaos.KINDS:
            kind.write(clients, 0, 0)
            counts.acknowledged[kind.name][0] += [0, 1]  # but 1 was never written
        missing = chaos.lost(clients, counts.acknowledged)
    assert [len(missing[kind.name]) for kind in chaos.KINDS] == [1] * len(chaos.KINDS)
    assert not chaos.report(counts, missing, kills=0)
    assert "acknowledged      14   lost   7" in capsys.readouterr().out
