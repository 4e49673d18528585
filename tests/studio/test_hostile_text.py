"""Whatever anybody could store stays text: on every page that links lead to, and in the file of each.

The texts hold what would end an element, an attribute, a comment or a string of a script, and characters that
a terminal obeys. Each page is read as a browser reads it, and may hold no element, attribute or address that
only stored text could have made.
"""

from __future__ import annotations

import html.parser
import json
import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

import pytest
from event_places import zipped
from studio_versions import BUCKET, Registered, verdict
from wire_clients import REGION, wait_for

from pipelines.settings.target import LOCAL_ROLE
from studio.access import Access
from studio.saved import saved_page
from studio.source import Source

IMAGE = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/shell:1"
MARK = "stored"
HOSTILE = (
    f"{MARK} <script>{MARK}()</script><img src=x onerror={MARK}()> \" ' onfocus={MARK}() autofocus ]]> --> "
    f"<!-- {{{{ 7*7 }}}} </style></title></textarea><a href=javascript:{MARK}()>\x1b[31m\x9b\u202e\u2028 &lt;"
)
_FORBIDDEN = frozenset({"img", "iframe", "object", "embed", "base", "style", "textarea", "foreignobject"})
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "xlink:href", "hx-get"})
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]")


class Reader(html.parser.HTMLParser):
    """What a browser makes of a page: what it must not hold, and where its links lead."""

    def __init__(self, *, is_file: bool = False) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self._is_file, self._inside = is_file, ""

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self._inside = tag
        given = dict(attributes)
        own_style = self._is_file and tag == "style" and not given
        own_script = tag == "script" and not self._is_file and (given.get("src") or "").startswith("/studio/")
        if (tag in _FORBIDDEN and not own_style) or (tag == "script" and not own_script):
            self.faults.append(f"<{tag} {given}>")
        for name, value in given.items():
            is_place = name in _ADDRESSES and not (value or "").startswith(("/studio", "#"))
            if name.startswith("on") or name in ("style", "autofocus", "srcdoc") or is_place:
                self.faults.append(f"<{tag} {name}={value!r}>")
            self.texts.append(value or "")
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and data.strip():
            self.faults.append(f"script: {data}")
        self.texts.append(data)


def faults_of(text: str, *, is_file: bool = False) -> tuple[list[str], Reader]:
    reader = Reader(is_file=is_file)
    reader.feed(text)
    reader.close()
    obeyed = [repr(found[0]) for found in _OBEYED.finditer(text)]
    return reader.faults + obeyed, reader


@pytest.fixture(scope="module")
def told(studio: Any) -> Sequence[str]:
    """Everything that can be stored; the pages that show it."""
    sagemaker, sqs, sns = (studio.client(name) for name in ("sagemaker", "sqs", "sns"))
    script = f"cat <<'END_OF_TEXT' >&2\n{HOSTILE}\nEND_OF_TEXT\nexit 3"
    name = "name-" + re.sub(r"[^a-zA-Z0-9]", "-", MARK)
    execution = str(studio.start(name, Work=script, Note=HOSTILE))
    studio.ended(execution)
    [version] = sagemaker.list_model_packages(ModelPackageGroupName=studio.project, MaxResults=1)[
        "ModelPackageSummaryList"
    ]
    card = {
        "model_overview": {"model_description": HOSTILE, "model_name": HOSTILE, "model_owner": HOSTILE},
        "intended_uses": {"purpose_of_model": HOSTILE, "intended_uses": HOSTILE, "risk_rating": "High"},
        "business_details": {"business_problem": HOSTILE, "line_of_business": HOSTILE},
        "additional_information": {"ethical_considerations": HOSTILE, "custom_details": {HOSTILE: HOSTILE}},
    }
    sagemaker.update_model_package(
        ModelPackageArn=version["ModelPackageArn"],
        ModelCard={"ModelCardContent": json.dumps(card), "ModelCardStatus": "Draft"},
    )
    # Tags and metadata take no angle brackets.
    tag = {"Key": f"{MARK}=autofocus", "Value": f"javascript:{MARK} onfocus={MARK}\u2028"}
    pipeline = sagemaker.describe_pipeline(PipelineName=studio.project)["PipelineArn"]
    group = sagemaker.describe_model_package_group(ModelPackageGroupName=studio.project)
    for arn in (pipeline, group["ModelPackageGroupArn"]):
        sagemaker.add_tags(ResourceArn=arn, Tags=[tag])
    decision = f"/p/{studio.project}/versions/{version['ModelPackageVersion']}/decision"
    form_token = Access(studio.token).form_token
    assert studio.post(decision, form_token=form_token, decision="approve", note=HOSTILE)[0] == 303
    studio.client("scheduler").create_schedule(
        Name=studio.project,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": pipeline,
            "RoleArn": LOCAL_ROLE,
            "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Note", "Value": HOSTILE}]},
        },
    )
    topic = sns.create_topic(Name=f"gatehouse-{studio.project}")["TopicArn"]
    sns.publish(TopicArn=topic, Subject="Review <b onclick=stored()>", Message=HOSTILE)
    url = sqs.create_queue(QueueName=f"gatehouse-{studio.project}-dead-letters")["QueueUrl"]
    attributes = {"ERROR_MESSAGE": {"DataType": "String", "StringValue": HOSTILE}}
    sqs.send_message(QueueUrl=url, MessageBody=HOSTILE, MessageAttributes=attributes)
    _call_function(studio)
    versions = _versions(studio)
    base = f"/p/{studio.project}"
    return (
        base,
        f"{base}/executions/{execution}",
        f"{base}/executions/{execution}/steps/TrainModel",
        f"{base}/versions/{version['ModelPackageVersion']}",
        f"{base}/automation",
        *(f"{base}/versions/{number}" for number in versions),
        f"{base}/versions/compare?first={versions[0]}&second={versions[1]}",
    )


def _call_function(studio: Any) -> None:
    """One whose rule, event and log hold such texts."""
    functions, events, name = studio.client("lambda"), studio.client("events"), f"{studio.project}-own"
    code = "def handle(event, _):\n    print(f'Event: {event}; {event}')\n    raise ValueError(event)\n"
    arn = functions.create_function(
        FunctionName=name,
        Handler="own.handle",
        Runtime="python3.12",
        Role=LOCAL_ROLE,
        Code={"ZipFile": zipped({"own.py": code})},
    )["FunctionArn"]
    pattern = json.dumps({"detail-type": [HOSTILE]})
    events.put_rule(Name=name, Description=HOSTILE, EventPattern=pattern)
    events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": arn}])
    functions.invoke(FunctionName=name, Payload=json.dumps(HOSTILE).encode())


def _versions(studio: Any) -> Sequence[int]:
    """Versions of each task whose classes, columns, checks and files have such names."""
    studio.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    source = Source(studio.settings, "local", studio.url)
    made = Registered(source, studio.client("sagemaker"), studio.client("s3"))
    names = [f"{number} {HOSTILE}" for number in range(3)]
    rows = {"num_present": 9, "num_missing": 1}
    values = {"distribution": {"categorical": {"buckets": [{"value": HOSTILE, "count": 9}]}}}
    columns = [{"name": names[0], "inferred_type": "String", "string_statistics": {"common": rows, **values}}]
    judged = verdict(0.9, {"name": HOSTILE, "passed": True, "sentence": HOSTILE, "value": 0.9, "limit": 0.5})
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{HOSTILE}/model.tar.gz"}
    common = {
        "data": {"dataset": {"item_count": 10}, "features": columns},
        "verdict": {**judged, "sentence": HOSTILE},
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "metadata": {"hyperparameters": f"onfocus={MARK}=3", "git_commit": "javascript:"},
    }
    gains = {"features": [{"name": name, "gain": 0.3} for name in names]}
    cuts = {
        "cuts": [0, 0.5, 1],
        "found": [9, 5, 0],
        "false_alarms": [9, 1, 0],
        "positives": 9,
        "negatives": 9,
    }
    two = {"binary_classification_metrics": {"accuracy": {"value": 0.9}}}
    matrix = {name: dict.fromkeys(names, 2) for name in names}
    several = {"multiclass_classification_metrics": {"confusion_matrix": matrix}}
    numbers = {"sample": {"actual": [1, 2], "predicted": [1, 3]}}
    return [
        made.register(
            statistics=two,
            report={"task": "binary", "classes": names[:2], "thresholds": cuts, **gains},
            **common,
        ),
        made.register(
            statistics=several,
            report={"task": "multiclass", "classes": names, "areas": dict.fromkeys(names, 0.9), **gains},
            **common,
        ),
        made.register(
            statistics={"regression_metrics": {"rmse": {"value": 2.0}}},
            report={"task": "regression", **numbers, **gains},
            **common,
        ),
    ]


def test_no_page_and_no_file_makes_more_of_stored_text_than_text(studio: Any, told: Sequence[str]) -> None:
    wait_for(lambda: "Note=" in studio.get(told[0]))
    waiting = ["/", *told]
    seen: dict[str, str] = {}
    source = Source(studio.settings, "local", studio.url)
    while waiting:
        path = waiting.pop()
        kind = re.sub(r"[a-z0-9]{12}|\d+", "", path.partition("?")[0])
        if path in seen.values() or (kind in seen and path not in told):
            continue
        seen[kind] = path
        found, reader = faults_of(studio.get(path))
        assert found == [], path
        assert faults_of(saved_page(source, path), is_file=True)[0] == [], path
        assert path not in told or f"<script>{MARK}" in "".join(reader.texts), path
        waiting += [
            link.removeprefix("/studio")
            for link in reader.links
            if link.startswith("/studio/p/") and "#" not in link
        ]
    assert len(seen) >= 7, seen


def test_an_address_or_a_search_that_holds_markup_is_text(studio: Any, told: Sequence[str]) -> None:
    base, text = told[0], urllib.parse.quote(HOSTILE, safe="")
    for path in (
        f"{base}?search={text}",
        f"{told[2]}?search={text}",
        f"{base}/executions/{text}",
        f"{base}/compare?first={text}&second={text}",
        f"{base}/versions/{text}",
        f"/p/{text}",
    ):
        assert faults_of(studio.request("GET", path)[1])[0] == [], path
