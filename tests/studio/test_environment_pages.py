"""Deploying from a page goes on by itself and does what was shown; a row is asked and explained."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from asgi_browser import Answer, Browser
from registered_models import BUCKET, REGION, ROOT, SETTINGS, Registry, client_of, train_model
from wire_clients import wait_for

from registry.deployments import plan_deployment
from registry.endpoint_changes import start_deployment, wait_for_endpoint
from sagemaker_local import endpoint
from studio.access import COOKIE, Access
from studio.app import create
from studio.source import Source

ACCESS = Access("secret")
PROJECT = "rc-pages"
ENVIRONMENTS = f"/studio/p/{PROJECT}/environments"
OWN_ENVIRONMENTS = (
    "".join(
        f"[projects.rc.pages.environments.{name}]\n"
        for name in ("twice", "broken", "replanned", "interrupted", "rows", "silent", "watched")
    )
    + "capture = {}\nreplay = true\n"
)
"""One for each test."""


def pages(source: Source) -> Browser:
    """The pages as a process that has just started shows them."""
    return Browser(create(source, ACCESS), {"cookie": f"{COOKIE}=secret", "origin": "http://127.0.0.1"})


def sent(browser: Browser, path: str, **fields: str) -> Answer:
    return browser.post(f"{ENVIRONMENTS}/{path}", {"form_token": ACCESS.form_token, **fields})


def hidden(text: str) -> Mapping[str, str]:
    """The hidden fields of the form on a page."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text)
    return {name: value for name, value in found if name != "form_token"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Versions 1 and 2 are approved; what serves version 3 knows nothing of contributions."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "projects.toml").write_text(SETTINGS.format(name="pages") + OWN_ENVIRONMENTS)
    model = train_model(folder / "opt-ml")
    with endpoint.start(folder / ".gatehouse") as local:
        client_of(local.url, "s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        made = Registry(local.url, folder, PROJECT, model)
        code = (ROOT / "training/inference.py").read_text()
        older = code.replace('"contributions=true" in parameters', "False")
        assert older != code
        for artifact in (None, None, model.changed(inference=older.encode())):
            made.register(approved=True, artifact=artifact)
        yield made


@pytest.fixture(scope="module")
def source(registry: Registry) -> Source:
    return Source(Path(registry.folder) / "projects.toml", "local", registry.url)


def deployed(browser: Browser, environment: str, version: str) -> str:
    """Deploy through the pages, and wait for the end; the environment's page then."""
    form = {"action": "deploy", "version": version}
    begun = sent(
        browser, f"{environment}/change", **hidden(sent(browser, f"{environment}/plan", **form).text)
    )
    assert (begun.status, begun.headers["location"]) == (303, f"{ENVIRONMENTS}/{environment}")

    def ended() -> str | None:
        text = browser.get(f"{ENVIRONMENTS}/{environment}").text
        return text if "ended after" in text else None

    return wait_for(ended)


def test_a_form_that_is_sent_twice_starts_one_deployment(registry: Registry, source: Source) -> None:
    browser = pages(source)
    form = {"action": "deploy", "version": "1", "note": "<b>first</b>"}
    shown = {**hidden(sent(browser, "twice/plan", **form).text), "note": form["note"]}
    answers = [sent(browser, "twice/change", **shown) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    under_way = browser.get(f"{ENVIRONMENTS}/twice").text
    assert "create endpoint rc-pages-twice with version 1" in under_way
    assert "You may close this page" in under_way
    assert "nothing else can be started" in under_way
    wait_for(lambda: "Done." in browser.get(f"{ENVIRONMENTS}/twice").text or None)
    assert sent(browser, "twice/change", **shown).status == 303
    text = browser.get(f"{ENVIRONMENTS}/twice").text
    assert text.count("deploy version 1, &lt;b&gt;first&lt;/b&gt;") == 1
    assert "It serves version 1, as it should." in text
    assert registry.parameter("twice") == registry.arn(1)


def test_a_deployment_that_failed_can_be_started_again(registry: Registry, source: Source) -> None:
    broken = registry.register(approved=True, artifact=registry.model.changed(inference=b"raise SystemExit"))
    browser = pages(source)
    begun = []
    for _ in range(2):
        time.sleep(1.0 - time.time() % 1.0)  # the pages show whole seconds
        text = deployed(browser, "broken", str(broken))
        begun.append(re.findall(r"Started from these pages ([^,]+),", text))
        assert "did not come up" in text
    assert begun[0] != begun[1]


def test_a_plan_that_has_changed_is_shown_anew_and_not_carried_out(
    registry: Registry, source: Source
) -> None:
    browser = pages(source)
    deployed(browser, "replanned", "1")
    form = hidden(sent(browser, "replanned/plan", action="deploy", version="2").text)
    deployed(pages(Source(source.file, "local", source.endpoint_url)), "replanned", "3")
    answer = sent(browser, "replanned/change", **form)
    assert answer.status == 200
    assert "Nothing was started" in answer.text
    assert "from version 3 to version 2" in answer.text
    assert registry.parameter("replanned") == registry.arn(3)


def test_a_new_process_says_what_a_deployment_that_broke_off_has_left(
    registry: Registry, source: Source
) -> None:
    deployed(pages(source), "interrupted", "1")
    project = source.project(PROJECT)
    environment = next(one for one in source.environments(project) if one.name == "interrupted")
    start_deployment(plan_deployment(source.target(project), environment, registry.arn(2)))
    fresh = pages(Source(source.file, "local", source.endpoint_url))
    assert "is being brought to version 2" in fresh.get(f"{ENVIRONMENTS}/interrupted").text
    wait_for_endpoint(environment, lambda _: None)
    text = fresh.get(f"{ENVIRONMENTS}/interrupted").text
    assert "It serves version 2, and version 1 should serve." in text
    assert "Deploy version 2 to finish, or version 1 to go back." in text


def test_a_row_is_answered_and_explained_also_where_the_pages_only_read(source: Source) -> None:
    deployed(pages(source), "rows", "1")
    only_reads = pages(Source(source.file, "local", source.endpoint_url, allow_changes=False))
    form = only_reads.get(f"{ENVIRONMENTS}/rows/try?sample=2").text
    values = dict(re.findall(r'name="(f\d)" value="([^"]+)"', form))
    assert set(values) == {"f0", "f2"}
    assert re.findall(r'<option value="(\w*)"', form)[:4] == ["", "basic", "free", "gold"]
    answer = sent(only_reads, "rows/try", version="1", f0="30", f1="gold", f2="8").text
    assert re.search(r"<strong>yes, with a probability of \d\d\.\d %</strong>", answer)
    base, *amounts, margin = map(float, re.findall(r'class="number">(?:<strong>)?([-+]?\d+\.\d+)<', answer))
    assert len(amounts) == 3
    assert base + sum(amounts) == pytest.approx(margin, abs=0.003)
    refused = sent(only_reads, "rows/try", version="1", f0="<i>old</i>", f1="gold", f2="8").text
    assert "&#39;&lt;i&gt;old&lt;/i&gt;&#39; is not a number</small>" in refused
    assert refused.count('aria-invalid="true"') == 1
    seen = only_reads.get(f"{ENVIRONMENTS}/rows").text
    assert re.search(r"<p>\d+ requests: 1 refused \(status 4xx\), 0 failed", seen)
    assert 'aria-label="Latency of each minute, up to ' in seen
    unknown = sent(only_reads, "rows/try", version="1", f0="", f1="platinum", f2="8").text
    assert "not seen in training" in unknown
    assert "Nothing was sent" in sent(only_reads, "rows/try", version="7", f0="30").text


def test_what_monitoring_found_is_on_the_page_and_asks_for_somebody(
    registry: Registry, source: Source
) -> None:
    browser = pages(source)
    assert "No window of its requests was compared" in deployed(browser, "watched", "1")
    assert "Is it still asked" not in browser.get(f"{ENVIRONMENTS}/rows").text, "it captures nothing"
    deployed(browser, "silent", "2")
    planned = sent(browser, "watched/plan", **{"action": "promote", "from": "silent"}).text
    assert f"<code>gatehouse replay {PROJECT} 2 --env watched</code>" in planned
    bucket = source.target(source.project(PROJECT)).bucket
    s3 = client_of(registry.url, "s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def found(name: str, **differently: object) -> None:
        verdict = {
            **{"start": "2030-01-01T00:00:00+00:00", "end": "2030-01-02T00:00:00+00:00"},
            **{"version": 1, "rows": 1234, "status": "as before", "quality": {"status": "no labels"}},
            **{"sentence": "as it was", "differences": []},
        }
        folder = f"{PROJECT}/monitoring/watched/reports/{name}"
        s3.put_object(
            Bucket=bucket, Key=f"{folder}/verdict.json", Body=json.dumps({**verdict, **differently})
        )
        s3.put_object(Bucket=bucket, Key=f"{folder}/report.html", Body=f"<p>the report of {name}</p>")

    found("20300102T000000Z")
    text = browser.get(f"{ENVIRONMENTS}/watched").text
    assert "<p>as it was</p>" in text
    assert "1,234" in text
    assert "the traffic changed in watched" not in browser.get("/studio/").text
    found(
        "20300103T000000Z", status="changed", sentence="<b>other</b>", differences=[{"column": "<i>f0</i>"}]
    )
    s3.put_object(
        Bucket=bucket, Key=f"{PROJECT}/monitoring/watched/reports/20300101T000000Z/verdict.json", Body="[1"
    )
    text = browser.get(f"{ENVIRONMENTS}/watched").text
    assert '<p class="problem">&lt;b&gt;other&lt;/b&gt;</p>' in text
    assert "&lt;i&gt;f0&lt;/i&gt;" in text
    links = re.findall(r'href="/studio(/p/[^"]*/windows/[^"]*)"', text)
    assert [link.rpartition("/")[2] for link in links] == ["20300103T000000Z", "20300102T000000Z"]
    assert "the report of 20300103T000000Z" in browser.get(f"/studio{links[0]}").text
    missing = browser.get(f"{ENVIRONMENTS}/watched/windows/20300109T000000Z")
    assert "there is no report of a window" in missing.text
    wait_for(lambda: "the traffic changed in watched" in browser.get("/studio/").text or None)
    found("20300104T000000Z", quality={"status": "worse"})
    wait_for(lambda: "the model got worse in watched" in browser.get("/studio/").text or None)


def test_a_version_without_contributions_says_so(source: Source) -> None:
    browser = pages(source)
    deployed(browser, "silent", "3")
    answer = sent(browser, "silent/try", version="3", f0="30", f1="gold", f2="8").text
    assert "with a probability of" in answer
    assert "made before there were contributions" in answer
