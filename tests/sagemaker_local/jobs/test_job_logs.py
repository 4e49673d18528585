"""CloudWatch Logs of jobs: order, times, tokens both ways, running jobs, filters."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sagemaker_local.errors import AwsError
from sagemaker_local.jobs.job_log import MAX_LINE, LogReader, note

GROUP = "/aws/sagemaker/ProcessingJobs"


def stream_of(bench: Any, job: str, host: str = "algo-1") -> str:
    answer = bench.call("DescribeLogStreams", "logs", logGroupName=GROUP, logStreamNamePrefix=f"{job}/{host}")
    (stream,) = answer["logStreams"]
    return str(stream["logStreamName"])


def events(bench: Any, stream: str, **wanted: Any) -> tuple[list[str], dict[str, Any]]:
    answer = bench.call("GetLogEvents", "logs", logGroupName=GROUP, logStreamName=stream, **wanted)
    return [event["message"] for event in answer["events"]], answer


def test_a_log_is_read_from_its_head_in_pages_until_the_token_repeats(bench: Any) -> None:
    job = bench.processing("seq 1 10")
    bench.ended(job)
    stream = stream_of(bench, job)
    assert stream.startswith(f"{job}/algo-1-")
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        messages, answer = events(bench, stream, startFromHead=True, limit=4, **token)
        seen += messages
        if token.get("nextToken") == answer["nextForwardToken"]:
            break
        token = {"nextToken": answer["nextForwardToken"]}
    assert seen == [str(number) for number in range(1, 11)]


def test_without_a_start_the_end_comes_first_and_tokens_lead_back(bench: Any) -> None:
    job = bench.processing("seq 1 10")
    bench.ended(job)
    stream = stream_of(bench, job)
    last, answer = events(bench, stream, limit=3)
    assert last == ["8", "9", "10"]
    before, answer = events(bench, stream, limit=3, nextToken=answer["nextBackwardToken"])
    assert before == ["5", "6", "7"]
    again, _ = events(bench, stream, limit=3, nextToken=answer["nextForwardToken"])
    assert again == ["8", "9", "10"]
    rest, answer = events(bench, stream, nextToken=answer["nextBackwardToken"])
    assert rest == ["1", "2", "3", "4"]
    none, end = events(bench, stream, nextToken=answer["nextBackwardToken"])
    assert none == []
    assert end["nextBackwardToken"] == answer["nextBackwardToken"]


def test_events_have_the_times_at_which_they_were_printed(bench: Any) -> None:
    begin = time.time() * 1000
    job = bench.processing("echo one; sleep 0.3; echo two")
    bench.ended(job)
    stream = stream_of(bench, job)
    _, answer = events(bench, stream, startFromHead=True)
    first, second = (event["timestamp"] for event in answer["events"])
    assert begin - 1 <= first <= second <= time.time() * 1000
    assert 200 <= second - first <= 2000
    assert events(bench, stream, startTime=first + 100)[0] == ["two"]
    assert events(bench, stream, endTime=second, startFromHead=True)[0] == ["one"]


def test_the_log_of_a_running_job_grows_by_whole_lines(bench: Any, wait_until: Any) -> None:
    gate = bench.folder / "gate"
    job = bench.processing(f"echo one; printf half; while [ ! -e {gate} ]; do sleep 0.02; done; echo ' done'")
    log = bench.home.jobs / "processing-job" / job / "algo-1" / "log"
    wait_until(lambda: log.exists() and "half" in log.read_text(), "half a line is there")
    stream = stream_of(bench, job)
    seen, answer = events(bench, stream, startFromHead=True)
    assert seen == ["one"]
    gate.touch()
    bench.ended(job)
    assert events(bench, stream, nextToken=answer["nextForwardToken"])[0] == ["half done"]


def test_filtering_finds_terms_across_the_streams_of_a_job(bench: Any) -> None:
    job = bench.processing("echo 'all fine'; echo 'one ERROR here'; echo 'ERROR: two here'", instances=2)
    bench.ended(job)
    wanted = {"logGroupName": GROUP, "logStreamNamePrefix": f"{job}/"}
    found = bench.call("FilterLogEvents", "logs", filterPattern="ERROR -two", **wanted)
    assert [event["message"] for event in found["events"]] == ["one ERROR here"] * 2
    assert len(found["searchedLogStreams"]) == 2
    pages, token = [], {}
    while True:
        page = bench.call("FilterLogEvents", "logs", filterPattern='"ERROR"', limit=3, **wanted, **token)
        pages.append([event["message"] for event in page["events"]])
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert [len(page) for page in pages] == [3, 1]
    with pytest.raises(AwsError, match="not implemented"):
        bench.call("FilterLogEvents", "logs", filterPattern="{ $.x = 1 }", **wanted)


def test_groups_and_streams_are_listed_and_unknown_ones_are_not_found(bench: Any) -> None:
    groups = bench.call("DescribeLogGroups", "logs", logGroupNamePrefix="/aws/sagemaker")["logGroups"]
    first = bench.call("DescribeLogGroups", "logs", limit=1)
    rest = bench.call("DescribeLogGroups", "logs", nextToken=first["nextToken"])
    assert first["logGroups"] + rest["logGroups"] == groups
    assert [group["logGroupName"] for group in groups] == [GROUP, "/aws/sagemaker/TrainingJobs"]
    jobs = [bench.processing("echo x") for _ in range(2)]
    for job in jobs:
        bench.ended(job)
    first = bench.call("DescribeLogStreams", "logs", logGroupName=GROUP, limit=1)
    second = bench.call("DescribeLogStreams", "logs", logGroupName=GROUP, nextToken=first["nextToken"])
    names = [
        stream["logStreamName"].partition("/")[0] for stream in first["logStreams"] + second["logStreams"]
    ]
    assert names == jobs
    assert first["logStreams"][0]["storedBytes"] == 2
    for operation, wanted in (
        ("DescribeLogStreams", {"logGroupName": "/aws/other"}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "none/algo-1-0"}),
    ):
        with pytest.raises(AwsError) as missing:
            bench.call(operation, "logs", **wanted)
        assert missing.value.code == "ResourceNotFoundException"
    with pytest.raises(AwsError, match="nextToken is invalid"):
        events(bench, stream_of(bench, jobs[0]), nextToken="x")


def test_a_line_longer_than_an_event_becomes_several(tmp_path: Any) -> None:
    log = tmp_path / "log"
    note(log, "x" * (2 * MAX_LINE))
    note(log, "short")
    with LogReader(log, complete=True) as reader:
        ahead = list(reader.forward(0))
        back = list(reader.backward(reader.size))
    assert [len(line.text) for line in ahead][:2] == [MAX_LINE, MAX_LINE]
    assert ahead[-1].text == "[sagemaker-local] short"
    assert back == ahead[::-1]


def test_a_long_log_is_copied_whole(bench: Any) -> None:
    job = bench.processing("seq 1 300000")
    assert bench.ended(job)["ProcessingJobStatus"] == "Completed"
    assert bench.log(job).splitlines() == [str(number) for number in range(1, 300001)]
    messages, _ = events(bench, stream_of(bench, job), limit=2)
    assert messages == ["299999", "300000"]
