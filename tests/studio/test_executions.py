"""The pages of executions: what they say of each way in which an execution can go."""

from __future__ import annotations

import html
import http.client
import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from wire_clients import REGION, wait_for

from studio.links import link, links_of
from studio.source import Source
from studio.views.executions_list import ANY, ListedExecutions, Search, list_page
from studio.views.home import ProjectSummary, read_home


def text_of(page: str) -> str:
    """What a page says, without its markup, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def words(page: str) -> dict[str, str]:
    """Step -> what the graph says it is doing."""
    graph = re.search(r"<svg class=\"graph\".*?</svg>", page, re.DOTALL)
    assert graph
    return dict(re.findall(r'/steps/(\w+)" class="node (\w+)"', graph[0]))


def row(page: str, execution: str) -> str:
    found = re.search(rf'<tr id="row-{execution}">.*?</tr>', page, re.DOTALL)
    assert found, page
    return text_of(found[0])


def rows(page: str) -> list[str]:
    """The ids in the list."""
    return re.findall(r'id="row-(\w+)"', page)


def base(studio: Any) -> str:
    return f"/p/{studio.project}"


def execution_page(studio: Any, how: str) -> str:
    return str(studio.get(f"{base(studio)}/executions/{studio.executions[how]}"))


def step_page(studio: Any, how: str, step: str, query: str = "") -> str:
    return str(studio.get(f"{base(studio)}/executions/{studio.executions[how]}/steps/{step}{query}"))


def test_the_list_tells_what_came_of_each(studio: Any) -> None:
    page = wait_for(lambda: found if "…" not in (found := studio.get(base(studio))) else None)
    ids = studio.executions
    assert "accuracy 0.9500 above 0.6" in row(page, ids["succeeded"])
    assert "version 1" in row(page, ids["succeeded"])
    assert "gate shut accuracy 0.9500 not above 0.99" in row(page, ids["shut"])
    assert "AccuracyThreshold=0.99" in row(page, ids["shut"])
    assert "AccuracyThreshold" not in row(page, ids["succeeded"])
    assert "Step failure" in row(page, ids["failed"])
    assert row(page, ids["cached"]).endswith("user (local)")


def test_the_list_is_searched_on_the_server(studio: Any) -> None:
    page = studio.get(f"{base(studio)}?status=Failed&search=NO+such+planet")
    assert "No execution is like this" in page
    ids = studio.executions
    page = studio.get(f"{base(studio)}?search={ids['cached'].upper()}")
    assert rows(page) == [ids["cached"]]


def _day(number: int) -> date:
    return date.today() + timedelta(days=number)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=Failed", ["failed"]),
        ("status=not+good+enough", ["shut"]),
        ("status=Succeeded", ["cached", "succeeded"]),
        ("version=any", ["cached", "succeeded"]),
        ("version=1", ["succeeded"]),
        ("version=7", []),
        ("parameters=accuracythreshold", ["shut"]),
        ("parameters=AccuracyThreshold%3D0.6+Work", ["failed"]),
        ("by=USER+(&status=Failed", ["failed"]),
        ("by=schedule", []),
        (f"from={_day(-1)}&to={_day(1)}", ["failed", "shut", "cached", "succeeded"]),
        (f"from={_day(2)}", []),
        (f"to={_day(-2)}", []),
        ("from=0002-01-01&to=9999-12-31", ["failed", "shut", "cached", "succeeded"]),
    ],
)
def test_the_list_is_filtered_by_what_a_row_tells(studio: Any, query: str, found: Sequence[str]) -> None:
    address = f"{base(studio)}?{query}"
    page = wait_for(lambda: page if "the search goes on" not in (page := studio.get(address)) else None)
    of_fixture = {execution: how for how, execution in studio.executions.items()}
    assert [of_fixture[execution] for execution in rows(page) if execution in of_fixture] == found


def test_a_day_that_is_none_is_said_to_be_none(studio: Any) -> None:
    status, page = studio.request("GET", f"{base(studio)}?from=yesterday")
    assert (status, "is no day" in page) == (404, True)


def test_a_page_of_a_search_begins_behind_the_last_row(studio: Any) -> None:
    source = Source(studio.settings, "local", studio.url)
    project, first_page = source.project(studio.project), Search(version=ANY)

    def page_of(search: Search, size: int) -> ListedExecutions:
        def read() -> ListedExecutions | None:
            page = list_page(source, project, search, size)
            return page if page.looked_through is None else None

        return wait_for(read)

    whole = [row.summary.id for row in page_of(first_page, 100).rows]
    found, search = [], first_page
    while True:
        page = page_of(search, 1)
        found += [row.summary.id for row in page.rows]
        if page.next is None:
            break
        search = replace(search, after=page.next)
    assert found == whole
    assert whole[-2:] == [studio.executions["cached"], studio.executions["succeeded"]]


def test_a_gate_that_stayed_shut_is_no_failure_among_the_projects(studio: Any) -> None:
    """Nor among those that have failed since the last good execution."""

    def read(newest: str) -> ProjectSummary:
        studio.ended(newest)
        source = Source(studio.settings, "local", studio.url, patience=20.0)
        [summary] = read_home(source).projects
        assert summary.execution is not None
        assert summary.execution.id == newest
        return summary

    good = studio.start()
    assert read(good).failed == 0
    broken = read(studio.start(Work="exit 3"))
    assert (broken.failed, broken.refusal) == (1, None)
    assert "its last execution failed" in {need.words for need in broken.needs}
    again = read(studio.start(Work="exit 4"))
    assert again.last_good is not None
    assert (again.failed, again.last_good.id) == (2, good)
    assert "2 executions failed since the last good one" in {need.words for need in again.needs}
    shut = read(studio.start(AccuracyThreshold="0.99"))
    assert (shut.failed, shut.refusal) == (2, "accuracy 0.9500 is not above the threshold 0.99")
    page = text_of(studio.get("/"))
    assert "its last model is not good enough: accuracy 0.9500 is not above the threshold 0.99" in page
    assert re.search(r"Last execution not good enough .* 2 failed since the last good one", page)


def test_a_page_of_the_list_begins_behind_the_last_row(studio: Any) -> None:
    """Though several executions are started within a second."""
    newest_first = [studio.executions[how] for how in ("failed", "shut", "cached", "succeeded")]
    for place, execution in enumerate(newest_first, 1):
        page = studio.get(f"{base(studio)}?after={execution}")
        assert rows(page) == newest_first[place:]


def test_a_link_with_a_token_keeps_the_rest_of_its_address(studio: Any) -> None:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(studio.url).netloc)
    links = links_of(studio.settings.parent / "home")
    connection.request("GET", link("", links, f"{base(studio)}?status=Failed&search=a+b"))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["location"]) == (
        303,
        f"/studio{base(studio)}?status=Failed&search=a+b",
    )
    connection.close()


def test_what_somebody_wrote_stays_text(studio: Any) -> None:
    listed = wait_for(lambda: found if "Note=" in (found := studio.get(base(studio))) else None)
    for page in (listed, execution_page(studio, "succeeded")):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m &amp; &#39;quoted&#39;" in page
        assert "<script>alert" not in page
    page = step_page(studio, "succeeded", "TrainModel")
    assert "&lt;b&gt;markup&lt;/b&gt; in a log" in page


def test_the_graph_says_what_each_step_did(studio: Any) -> None:
    done = {"TrainModel": "done", "EvaluateModel": "done", "CheckAccuracy": "done"}
    assert words(execution_page(studio, "succeeded")) == {
        **done,
        "RegisterModel": "done",
        "ModelRefused": "skipped",
    }
    cached = execution_page(studio, "cached")
    assert words(cached)["TrainModel"] == "cached"
    assert f"cached from {studio.executions['succeeded']}" in cached
    shut = execution_page(studio, "shut")
    assert (words(shut)["RegisterModel"], words(shut)["ModelRefused"]) == ("skipped", "failed")
    assert "The gate stayed shut." in shut
    assert re.search(r'class="branch taken"[^>]*>no<', shut)
    failed = execution_page(studio, "failed")
    assert words(failed) == {
        "TrainModel": "failed",
        "EvaluateModel": "skipped",
        "CheckAccuracy": "skipped",
        "RegisterModel": "skipped",
        "ModelRefused": "skipped",
    }
    assert "no such column" in failed


def test_a_step_tells_what_went_in_and_came_out(studio: Any) -> None:
    text = text_of(step_page(studio, "succeeded", "TrainModel"))
    assert "train 1 600 bytes s3://tests/data " in text  # and not what lies in data-of-others
    assert "1 x ml.m5.large" in text
    assert "max_depth 7" in text
    assert "it has not run yet" in text
    evaluated = text_of(step_page(studio, "succeeded", "EvaluateModel"))
    assert "model from TrainModel 1 " in evaluated
    assert re.search(r"evaluation 1 \d+ bytes s3://tests/", evaluated)
    assert "It ran because it uses what TrainModel made, which ran as well." in evaluated


def test_a_step_tells_why_it_was_not_run_again(studio: Any) -> None:
    cached = text_of(step_page(studio, "cached", "TrainModel"))
    assert "so it was not run again" in cached
    assert f"The result is that of execution {studio.executions['succeeded']}" in cached
    assert "max_depth 7" in cached
    failed = text_of(step_page(studio, "failed", "TrainModel"))
    assert (
        "not taken from the step cache: AlgorithmSpecification.ContainerArguments[2] true -> echo" in failed
    )


def test_metrics_of_all_rounds_are_drawn(studio: Any) -> None:
    page = step_page(studio, "succeeded", "TrainModel")
    assert "loss over 4 rounds" in page
    drawn = re.findall(r'<polyline class="series-\d" points="([^"]*)"', page)
    assert [len(points.split()) for points in drawn] == [5, 5]  # the last one is there twice
    assert "train 0.25 0.25 0.8" in text_of(page)


def test_a_log_is_searched(studio: Any) -> None:
    page = step_page(studio, "succeeded", "TrainModel", "?search=MARKUP")
    [log] = re.findall(r'<pre class="log"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert log.split("\n") == ["&lt;b&gt;markup&lt;/b&gt; in a log", ""]
    assert "1 line holds" in text_of(page)
    assert "that holds this text" in step_page(studio, "succeeded", "TrainModel", "?search=nowhere")


def test_a_long_log_is_shown_in_pages(studio: Any) -> None:
    script = "yes '<&>' | head -n 9000 | cat -n"
    execution = studio.start(Work=script)
    studio.ended(execution)
    path = f"{base(studio)}/executions/{execution}/steps/TrainModel"
    page, sizes, numbers = studio.get(path), [], []
    while True:
        sizes.append(len(page))
        numbers = [int(found) for found in re.findall(r"(?:^|>) *(\d+)\t&lt;", page, re.MULTILINE)] + numbers
        earlier = re.search(r'href="[^"]*\?(before=\d+)">the ones before', page)
        if earlier is None:
            break
        page = studio.get(f"{path}?{earlier[1]}")
    assert numbers == list(range(1, 9001))
    assert max(sizes) < 100_000


def test_a_step_is_shown_to_somebody_who_may_not_read_its_log(studio: Any) -> None:
    source = Source(studio.settings, "local", studio.url)
    target = source.target(source.project(studio.project))
    events = target.client("logs").meta.events

    def deny(**_: Any) -> None:
        answer = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform"}}
        raise ClientError(answer, "DescribeLogStreams")

    events.register("before-call.cloudwatch-logs", deny)
    try:
        text = text_of(step_page(studio, "succeeded", "TrainModel"))
    finally:
        events.unregister("before-call.cloudwatch-logs", deny)
    assert "You have no permission to read this job's log." in text
    assert "max_depth 7" in text


def test_a_condition_tells_what_it_compared(studio: Any) -> None:
    text = text_of(step_page(studio, "shut", "CheckAccuracy"))
    assert "accuracy.value (0.9500) > AccuracyThreshold (0.99)" in text
    assert "the branch no was taken" in text
    assert text_of(step_page(studio, "shut", "RegisterModel")).count("It was not started") == 1


def test_two_executions_side_by_side(studio: Any) -> None:
    first, second = studio.executions["succeeded"], studio.executions["shut"]
    text = text_of(studio.get(f"{base(studio)}/compare?first={first}&second={second}"))
    assert "Succeeded not good enough gate shut" in text
    assert "AccuracyThreshold 0.6 0.99" in text
    assert "1 of 3 parameters is the same in both" in text
    assert "Both ran the same definition" in text
    assert "Train it done" in text
    assert studio.request("GET", f"{base(studio)}/compare?first={first}")[0] == 404


def test_an_execution_is_watched_while_it_runs(studio: Any) -> None:
    running = studio.start(Work="while [ ! -e /opt/ml/model/stop ]; do sleep 0.1; done")
    path = f"{base(studio)}/executions/{running}"
    page = wait_for(lambda: found if "node running" in (found := studio.get(path)) else None)
    assert words(page)["EvaluateModel"] == "queued"
    assert 'class="moving"' in page
    assert 'hx-trigger="every 1s"' in page
    chart = wait_for(
        lambda: found if "over 3 rounds" in (found := studio.get(f"{path}/steps/TrainModel")) else None
    )
    assert 'hx-trigger="every 1s"' in chart
    arn = f"arn:aws:sagemaker:{REGION}:000000000000:pipeline/{studio.project}/execution/{running}"
    studio.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn)
    assert studio.ended(running) == "Stopped"
    page = studio.get(path)
    assert "hx-trigger" not in page
    assert words(page)["TrainModel"] == "stopped"


def test_an_execution_without_a_report_says_so(studio: Any) -> None:
    status, text = studio.request("GET", f"{base(studio)}/executions/{studio.executions['failed']}/report")
    assert status == 404
    assert "this execution has no report" in text
