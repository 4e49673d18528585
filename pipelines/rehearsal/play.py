"""Day by day: requests come, windows are compared, people are told, versions are trained, approved, deployed.

A rehearsed person does what a message asks for and nothing else: approves a version that passed the gate,
and, where the settings say ``ask``, trains anew once a cool-down has passed since the alarm, and again after
another one while it lasts. All else happens by itself, and is waited for: the schedule starts the monitoring
pipeline, its event calls the automation, the automation deploys what was approved.

What is noted of a day is the same for the same seed: it holds no id, no time of this machine and no duration.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_formats.errors import GatehouseError
from pipelines.definition.compile import compile_pipeline
from pipelines.definition.monitoring import compile_monitoring
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.executions.function_calls import read_calls
from pipelines.executions.inbox import QUEUE, InboxMessage, queue_url, read_messages
from pipelines.executions.overrides import with_dataset
from pipelines.executions.schedule import Schedule, apply_schedule, plan_schedule
from pipelines.rehearsal.rows import Drift, Rows, drifted, labels, newest, parquet, payload, requests
from pipelines.settings.environments import resolve_environment
from pipelines.settings.monitoring import monitoring_name, schedule_name
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from pipelines.upsert.apply import apply_upsert
from pipelines.upsert.plan import plan_upsert
from registry.clients import read_document
from registry.environments import Environment
from registry.ground_truth import put_labels
from registry.invocations import JSON, send
from registry.life_cycle import DEPLOYED
from registry.model_packages import APPROVED, describe_arn
from registry.monitored_windows import Window, monitoring_prefix
from registry.review import apply_review, plan_review
from registry.verdicts import verdict_in

if TYPE_CHECKING:
    import pyarrow as pa

BEGIN = datetime(2100, 1, 1, tzinfo=UTC)
"""The first day; the same for every rehearsal, so that two can be compared, and none that is over: a schedule
may not begin before the present."""

LIMIT = 600.0
"""Seconds of this machine after which what should have happened has not."""

_REQUESTS = 5
"""Of each window; its rows are divided among them."""

_A_MINUTE = timedelta(minutes=1)
_PAUSES = (0.1, 0.5)
"""Seconds between two looks, at first and at last."""

_STARTED = re.compile(r"A training was started: execution (\w+)")


@dataclass(frozen=True)
class Plan:
    """What is played.

    Attributes:
        project: as it is rehearsed; its source is the folder that this writes.
        windows: how many there are, each of ``project.monitoring.hours``.
        count: rows of a window.
        label_days: after the end of its window a label comes.
        drift: None if there is none; else from the beginning of the window ``drift_at`` on.
    """

    project: Project
    environment: str
    rows: Rows
    windows: int
    count: int
    label_days: int
    drift: Drift | None
    drift_at: int
    seed: int

    @property
    def length(self) -> timedelta:
        """Of a window."""
        return timedelta(hours=self.project.monitoring.hours)

    def window(self, place: int) -> Window:
        begin = BEGIN + place * self.length
        return Window(begin, begin + self.length)

    def day(self, moment: datetime) -> int:
        """Which day a moment is in, from 1 on."""
        return (moment - BEGIN) // timedelta(days=1) + 1


@dataclass(frozen=True)
class Entry:
    """Something that happened."""

    day: int
    what: str
    text: str


@dataclass
class _Life:
    """What has become so far."""

    plan: Plan
    target: Target
    set_clock: Callable[[datetime], None]
    now: datetime = BEGIN
    source: pa.Table | None = None
    sent: list[tuple[datetime, dict[str, list[str]], pa.Table]] = field(default_factory=list)
    compared: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    mails: set[str] = field(default_factory=set)
    alarm: bool = False
    person_trains_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.plan.project.name

    @property
    def environment(self) -> Environment:
        return resolve_environment(self.plan.project, self.target, self.plan.environment)

    def entry(self, what: str, text: str) -> Entry:
        return Entry(self.plan.day(self.now), what, text)

    def go_to(self, moment: datetime) -> None:
        self.now = moment
        self.set_clock(moment)


def play(
    plan: Plan, target: Target, set_clock: Callable[[datetime], None], tell: Callable[[str], None]
) -> Iterator[Entry]:
    """Play it all, and give what happens as it happens.

    Args:
        target: the SageMaker whose clock ``set_clock`` sets.
        tell: is given how far it is, for people.

    Raises:
        GatehouseError: the first version does not pass the gate, or something that should happen does not.
    """
    life = _Life(plan, target, set_clock, source=plan.rows.past)
    coming = requests(plan.rows, plan.count, plan.seed)
    life.go_to(BEGIN + _A_MINUTE)
    tell("the first version is trained")
    first = list(_train(life, "The first version is trained"))
    yield from first
    if not any(one.what == "serves" for one in first):
        raise GatehouseError(
            f"the first version was not registered: {first[-1].text}",
            where=plan.project.name,
            remedy="A rehearsal takes a part of the data; `gatehouse run` says whether all of it passes",
        )
    _schedule(life)
    for place in range(plan.windows):
        window, rows = plan.window(place), next(coming)
        if plan.drift is not None and place >= plan.drift_at:
            rows = drifted(rows, plan.drift)
            if place == plan.drift_at:
                yield life.entry("drift", f"from now on {plan.drift.in_words}")
        _ask(life, place, rows)
        _give_labels(life, window.end)
        life.go_to(window.end + _A_MINUTE)
        yield from _compared(life, place, tell)
        yield from _person(life)
    yield from _unexpected(life)


# --- What comes from outside -----------------------------------------------------------------------


def _ask(life: _Life, place: int, rows: pa.Table) -> None:
    """Send a window's rows, and wait until they are captured."""
    plan, sent = life.plan, {}
    step = -(-len(rows) // _REQUESTS)
    for first in range(0, len(rows), step):
        some, identity = rows.slice(first, step), f"window-{place + 1}-{first // step + 1}"
        send(life.environment, payload(some, plan.rows.target), JSON, identity)
        sent[identity] = labels(some, plan.rows.target)
    life.sent.append((plan.window(place).end, sent, rows))
    life.go_to(life.now + _A_MINUTE)  # captures are written some seconds after
    _until(lambda: sent.keys() <= _captured(life) or None, "the capture of the requests")


def _captured(life: _Life) -> set[str]:
    """The inference ids in the captures of this day."""
    s3, bucket = life.target.client("s3"), life.target.bucket
    prefix = f"{life.name}/capture/{life.environment.endpoint}/AllTraffic/{life.now:%Y/%m/%d}/"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    texts = (s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode() for one in found)
    return {identity for text in texts for identity in re.findall(r'"inferenceId":"([^"]+)"', text)}


def _give_labels(life: _Life, now: datetime) -> None:
    """Bring the labels that come by then, and the source up to date with them."""
    plan = life.plan
    due = [one for one in life.sent if one[0] + timedelta(days=plan.label_days) <= now]
    if not due:
        return
    life.sent = [one for one in life.sent if one not in due]
    for _, texts, rows in due:
        put_labels(life.target.client("s3"), life.target.bucket, life.name, plan.environment, texts)
        assert life.source is not None
        life.source = newest([life.source, rows], len(plan.rows.past))
    if plan.project.monitoring.retrain == "automatic":
        _bring_up_to_date(life)  # a training that starts by itself takes the data of the last upsert


def _bring_up_to_date(life: _Life) -> dict[str, str]:
    """The pipeline with the source as it is now; the parameters of a start that name the data."""
    assert life.source is not None
    folder = Path(life.plan.project.data.source)
    folder.mkdir(exist_ok=True)
    (folder / "rows.parquet").write_bytes(parquet(life.source))
    compiled = compile_pipeline(life.plan.project, life.target)
    apply_upsert(plan_upsert(compiled, life.target), life.target)
    return with_dataset({}, compiled.dataset)


def _schedule(life: _Life) -> None:
    """Have each window compared once it has ended."""
    plan, target = life.plan, life.target
    pipeline = apply_upsert(plan_upsert(compile_monitoring(plan.project, target), target), target)
    hours = plan.project.monitoring.hours
    wanted = Schedule(
        expression=f"rate({hours} hour{'s' if hours > 1 else ''})",
        time_zone="UTC",
        start=BEGIN + plan.length,
        parameters=(("Environment", plan.environment),),
        role_arn=target.role_arn,
    )
    apply_schedule(
        plan_schedule(schedule_name(life.name, plan.environment), wanted, pipeline, target), target
    )


# --- What follows from it --------------------------------------------------------------------------


def _compared(life: _Life, place: int, tell: Callable[[str], None]) -> Iterator[Entry]:
    """Wait for the comparison of a window that has ended, and for what follows from it."""
    plan = life.plan
    arn = _until(lambda: _new_comparison(life), "the comparison that the schedule starts")
    life.compared.add(arn)
    ended = _until(lambda: _ended(life, arn), "the end of a comparison")
    if ended["PipelineExecutionStatus"] != "Succeeded":
        reason = ended.get("FailureReason", "no reason is given")
        raise GatehouseError(f"a comparison is {ended['PipelineExecutionStatus']}: {reason}", where=arn)
    prefix = monitoring_prefix(life.name, plan.environment)
    uri = f"s3://{life.target.bucket}/{prefix}reports/{plan.window(place).name}/verdict.json"
    verdict = read_document(life.target.client("s3"), uri)
    if verdict is None:
        raise GatehouseError(f"there is no verdict on day {plan.day(life.now) - 1}", where=uri)
    said = _until(lambda: _answer(life), "the call of window-compared")
    quality = verdict["quality"]["status"]
    tell(f"day {plan.day(life.now) - 1}: {verdict['rows']:,} rows, {verdict['status']}, {quality}")
    if not said.startswith("told: "):
        return
    life.alarm = bool(verdict["differences"]) or quality == "worse"
    yield life.entry("told" if life.alarm else "over", verdict["sentence"])
    yield _mail(life, "got worse" if quality == "worse" else "changed" if life.alarm else "again")
    if started := _STARTED.search(said):
        yield life.entry("training", "A training was started by itself")
        yield from _outcome(life, executions.find(life.target, life.name, started[1]))
    elif plan.project.monitoring.retrain == "ask" and life.alarm and life.person_trains_at is None:
        life.person_trains_at = life.now + timedelta(days=plan.project.monitoring.cool_down_days)


def _person(life: _Life) -> Iterator[Entry]:
    """What a person does who was asked to train anew."""
    if not life.alarm:
        life.person_trains_at = None
    if life.person_trains_at is not None and life.now >= life.person_trains_at:
        life.person_trains_at = life.now + timedelta(days=life.plan.project.monitoring.cool_down_days)
        yield from _train(life, "A person trains anew, as the message says")


def _train(life: _Life, why: str) -> Iterator[Entry]:
    parameters = _bring_up_to_date(life)
    yield life.entry("training", why)
    yield from _outcome(life, executions.start(life.target, life.name, parameters))


def _outcome(life: _Life, arn: str) -> Iterator[Entry]:
    """Follow a training to its end, and a version that passed the gate until it serves."""
    for snapshot in watching.follow(life.target, arn):
        last = snapshot
    outcome = watching.outcome_of(last)
    gate = _gate_in_words(outcome)
    if outcome.gate_shut:
        yield life.entry("gate shut", gate)
        yield _mail(life, "not good enough")
        return
    if outcome.status != "Succeeded":
        raise GatehouseError(f"a training is {outcome.status}: {outcome.failure_reason}", where=arn)
    if outcome.same_version is not None:
        yield life.entry("nothing new", f"the model is version {outcome.same_version.number} again")
        return
    assert outcome.model_package_arn is not None, "it succeeded"
    package = outcome.model_package_arn
    version = int(package.rpartition("/")[2])
    yield life.entry("registered", f"version {version}: {gate}")
    yield _mail(life, f"review version {version}")
    plan = plan_review(life.target, life.name, version, APPROVED, "rehearsed")
    apply_review(plan, life.target)
    yield life.entry("approved", f"version {version} by a person")
    _until(lambda: _is_deployed(life, package), f"the deployment of version {version}")
    yield life.entry("serves", f"version {version} serves in {life.plan.environment}")
    yield _mail(life, "serves in")


def _gate_in_words(outcome: watching.ExecutionOutcome) -> str:
    """What the gate compared, with the champion's check where there is one."""
    if outcome.gate is None:
        return "there is no gate"
    verdict = verdict_in(outcome.gate.verdict)
    champion = [one.sentence for one in verdict.checks if one.champion is not None] if verdict else []
    said = outcome.gate.in_words(not outcome.gate_shut)
    return "; ".join([said, *(one for one in champion if one not in said)])


def _is_deployed(life: _Life, package: str) -> bool | None:
    stage = describe_arn(life.target, package).get("ModelLifeCycle", {})
    return (stage.get("Stage"), stage.get("StageStatus")) == (life.plan.environment, DEPLOYED) or None


def _new_comparison(life: _Life) -> str | None:
    newest_one = executions.list_executions(life.target, monitoring_name(life.name), 1)
    arn = newest_one[0].execution_arn if newest_one else None
    return None if arn in life.compared else arn


def _ended(life: _Life, arn: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] = life.target.client("sagemaker").describe_pipeline_execution(
        PipelineExecutionArn=arn
    )
    return None if found["PipelineExecutionStatus"] in watching.UNDER_WAY else found


def _answer(life: _Life) -> str | None:
    """What the function that is called for a window said, once it has.

    Raises:
        GatehouseError: it failed.
    """
    function = f"{life.name}-window-compared"
    call = next((one for one in read_calls(life.target, function) if one.request not in life.calls), None)
    if call is None or not call.said:
        return None
    if call.failed:
        raise GatehouseError(f"the function failed: {call.said}", where=function)
    life.calls.add(call.request)
    return call.said


def _mail(life: _Life, words: str) -> Entry:
    """Wait for a message to people whose subject has these words."""
    message = _until(
        lambda: next((one for one in _new_mails(life) if words in (one.subject or "")), None),
        f"a message about {words!r}",
    )
    life.mails.add(message.id)
    return life.entry("message", message.subject or "")


def _unexpected(life: _Life) -> Iterator[Entry]:
    for one in _new_mails(life):
        yield life.entry("message", f"not expected: {one.subject}")


def _new_mails(life: _Life) -> list[InboxMessage]:
    sqs = life.target.client("sqs")
    url = queue_url(sqs, QUEUE)
    found = read_messages(sqs, url) if url is not None else []
    return sorted((one for one in found if one.id not in life.mails), key=lambda one: one.sent)


def _until(look: Callable[[], Any], what: str) -> Any:
    """What a look finds, once it does.

    Raises:
        GatehouseError: it does not in time.
    """
    deadline, (pause, longest) = time.monotonic() + LIMIT, _PAUSES
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise GatehouseError(f"{what} did not come within {LIMIT:.0f} s")
        time.sleep(pause)
        pause = min(1.2 * pause, longest)
    return found
