"""A process may set its clock ahead of the system's, and then everything in it that has a time follows."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jumping_clock import DAY
from wire_clients import client_of

import sagemaker_local
from sagemaker_local import clocks, endpoint

_OTHER_CLOCKS = {
    "clocks.py": "what the others read",
    "jobs/launcher/log.py": "a process of its own",
    "programs/model_monitor/analyze.py": "likewise",
    "proxy/certificates.py": "what other programs compare with their own clock",
    "s3/files.py": "compared with the times of files",
    "store/documents.py": "what steady_time counts from",
}


@pytest.fixture
def ahead() -> Iterator[None]:
    clocks.set_ahead(1000 * DAY)
    yield
    clocks.set_ahead(0.0)


def test_all_of_the_package_reads_the_system_clock_in_one_place() -> None:
    root = Path(sagemaker_local.__file__).parent
    reads = re.compile(r"\btime\.time\b|datetime\.now\(|\butcnow\(|(gm|local)time\(\)")
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if any(reads.search(line) for line in path.read_text().splitlines())
    }
    assert found == set(_OTHER_CLOCKS)


@pytest.mark.usefixtures("ahead")
def test_what_is_made_has_the_time_of_a_clock_that_is_ahead(tmp_path: Path) -> None:
    with endpoint.start(tmp_path / "home") as local:
        ssm = client_of(local.url, "ssm")
        ssm.put_parameter(Name="a", Value="1", Type="String")
        made = ssm.get_parameter(Name="a")["Parameter"]["LastModifiedDate"].timestamp()
    assert 999 * DAY < made - time.time() < 1001 * DAY


@pytest.mark.usefixtures("ahead")
def test_a_wait_ends_when_the_clock_skips_it() -> None:
    event, ended = threading.Event(), threading.Event()

    def wait() -> None:
        assert not clocks.wait(event, DAY)
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not ended.wait(0.3)
    clocks.set_ahead(1002 * DAY)
    assert ended.wait(60)
    event.set()
    assert clocks.wait(event, DAY)
