"""What a settings file can say of one project: its tables, their keys, types, ranges and defaults.

Each class is one table of ``projects.toml``. They are strict and frozen: no unknown key, no quiet
conversion between types, no change afterwards. What two keys must not say together is checked here
as well, because only here are both at hand. ``settings`` reads the file and words the errors.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from aws_formats.step_cache import parse_duration
from pipelines.settings.gate import Gate, Problem, problems
from pipelines.settings.hyperparameters import problems_of_training
from pipelines.settings.query import Query, problems_of_names
from pipelines.settings.tables import S3_PREFIX, Description, Listed, Names, Table, Text, which_one
from pipelines.settings.tuning import Tuning, problems_of_tuning

INCONSISTENT = "inconsistent"
"""The type of pydantic's error for keys that do not go together; its context has ``what`` and ``remedy``."""

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["number", "category", "boolean", "timestamp"]


SomeNames = Annotated[Names, Field(min_length=1)]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")]
InstanceTypes = Annotated[tuple[InstanceType, ...], Listed, Field(min_length=1)]
InstanceCount = Annotated[int, Field(ge=1, le=100)]
SubnetIds = Annotated[tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$")], ...], Listed]
SecurityGroupIds = Annotated[tuple[Annotated[str, Field(pattern=r"^sg-[0-9a-f]+$")], ...], Listed]


def _duration(text: str) -> str:
    parse_duration(text)
    return text


Duration = Annotated[str, AfterValidator(_duration)]
REGION = r"^[a-z]{2}(-[a-z]+)+-\d+$"
DEFAULT_REGION = "us-east-1"
"""Of a project that names none: AWS's first region, which has every instance type that is asked for here."""
ROLE = r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$"
MLFLOW = r"^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:mlflow-(app|tracking-server)/[a-zA-Z0-9-]+$"


def why_no_name(part: str) -> tuple[str, str] | None:
    """What is wrong with a team's or a project's name, and what to do; None for one that can be used.

    Lower case only: AWS lowers the names in some ARNs, keeps them in others, and compares some of them letter
    by letter, so that a policy or an event's rule with capitals would not match.
    """
    if re.fullmatch(r"[a-z0-9](-*[a-z0-9])*", part):
        return None
    if re.fullmatch(r"[a-z0-9](-*[a-z0-9])*", part.lower()):
        return f"{part!r} has upper-case letters, which AWS does not keep in every ARN", (
            f"Write it in lower case: {part.lower()!r}"
        )
    return f"{part!r} cannot be part of a pipeline's name", "Use lower-case letters, digits and hyphens"


def camel_case(name: str) -> str:
    """``max_depth`` -> ``MaxDepth``, as pipeline parameters and steps are named."""
    return "".join(word.capitalize() for word in name.split("_"))


class AtStart:
    """Marks a setting that is a pipeline parameter's default: each start can give it another value.

    The parameter's name is the key's in camel case (``max_depth``: ``MaxDepth``), its type the field's, and
    a start refuses what the settings would refuse.
    """

    @staticmethod
    def keys(table: type[Table]) -> dict[str, str]:
        """The marked keys of a table, by the names of their parameters."""
        marked = [name for name, field in table.model_fields.items() if AtStart in field.metadata]
        return {camel_case(name): name for name in marked}


class Split(Table):
    """Shares of the rows; they add up to 1."""

    train: Annotated[float, Field(gt=0, lt=1)] = 0.70
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15
    test: Annotated[float, Field(gt=0, lt=1)] = 0.15

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test add up to {total:g}; they must add up to 1")
        return self


def _date_format(text: str) -> str:
    """Checked again, with the same letters, by ``processing/dates.py``."""
    unknown = re.findall(r"%[^YymdeHIMSfpbBzZaATRFD%]", text)
    if unknown:
        raise ValueError(f"there is no {unknown[0]}; a date is written like %d/%m/%Y, a time like %H:%M:%S")
    if not re.search(r"%[YymdeHIMSbBTRFD]", text):
        raise ValueError("it names no part of a date or a time; a date is written like %d/%m/%Y")
    return text


DecimalMark = Literal[".", ","]
ThousandsMark = Literal["", ",", ".", "'", " "]
DateFormat = Annotated[str, AfterValidator(_date_format)]


EVERY_COLUMN = "*"
"""Stands, in a notation, for all columns that it does not name; a text alone is for this one."""

ByColumn = BeforeValidator(lambda value: {EVERY_COLUMN: value} if isinstance(value, str) else value)


class Data(Table):
    """Where the data lies and how to read it; ``processing/preprocess.py`` acts on the latter."""

    source: Text
    version: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    target: Text
    positive_class: Text | None = None
    features: SomeNames | None = None
    drop: Names = ()
    columns: SomeNames | None = None
    header: bool = True
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(max_length=1)] = '"'
    missing_values: Names = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
    also_missing: Names = ()
    decimal: Annotated[dict[str, DecimalMark], ByColumn] = Field(default_factory=dict)
    thousands: Annotated[dict[str, ThousandsMark], ByColumn] = Field(default_factory=dict)
    date_format: Annotated[dict[str, DateFormat], ByColumn] = Field(default_factory=dict)
    strip: bool = False
    class_names: dict[str, Text] = Field(default_factory=dict)
    kinds: dict[str, Kind] = Field(default_factory=dict)
    key: Text | None = None
    split: Split = Split()
    seed: Annotated[int, Field(ge=0)] = 0
    max_categories: Annotated[int, Field(ge=2)] = 1000
    leaks: Literal["warn", "error"] = "warn"
    stratify: bool | None = None
    query: Query | None = None

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """The columns beside the target that each key names; those of notations are :attr:`notations`."""
        return {
            "key": (self.key,) if self.key else (),
            "features": self.features or (),
            "drop": self.drop,
            "kinds": tuple(self.kinds),
        }

    @property
    def notations(self) -> dict[str, tuple[str, ...]]:
        """The columns that each key of a notation names."""
        written: dict[str, Iterable[str]] = {
            "decimal": self.decimal,
            "thousands": self.thousands,
            "date_format": self.date_format,
        }
        return {key: tuple(name for name in names if name != EVERY_COLUMN) for key, names in written.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.header and self.columns is None:
            raise ValueError("header = false needs columns = [...], the names of all columns in order")
        named, by_column = self.named, self.notations
        if self.columns is not None:
            for key, names in {"target": (self.target,), **named, **by_column}.items():
                for name in names:
                    if name not in self.columns:
                        raise ValueError(f"{key} names {name!r}, which is not in columns")
        for key, names in named.items():
            if self.target in names:
                raise ValueError(f"{key} names the target {self.target!r}")
        for name in named["features"]:
            if name in self.drop:
                raise ValueError(f"{name!r} is in both features and drop")
        for column in {*by_column["decimal"], *by_column["thousands"], EVERY_COLUMN}:
            point, group = (
                notation.get(column, notation.get(EVERY_COLUMN, default))
                for notation, default in ((self.decimal, "."), (self.thousands, ""))
            )
            if point == group:
                raise ValueError(f"decimal and thousands are both {point!r}; give one of them another")
        return self


class Training(Table):
    """XGBoost's hyperparameters, and what its job runs on.

    ``training/hyperparameters.py`` knows what the former may be; those of ``extra`` are checked by it alone.
    """

    max_depth: Annotated[int, Field(ge=1, le=64), AtStart] = 4
    eta: Annotated[float, Field(gt=0, le=1), AtStart] = 0.1
    num_round: Annotated[int, Field(ge=1, le=2**31 - 1), AtStart] = 300
    subsample: Annotated[float, Field(gt=0, le=1), AtStart] = 0.9
    min_child_weight: Annotated[float, Field(ge=0, allow_inf_nan=False), AtStart] = 1.0
    early_stopping_rounds: Annotated[int, Field(ge=0, le=2**31 - 1), AtStart] = 20
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    class_weights: Literal["none", "balanced"] = "none"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    external_memory: Literal["auto", "always", "never"] = "auto"
    spot: bool = False
    max_wait_hours: Annotated[int, Field(ge=1, le=240)] | None = None
    keep_alive_minutes: Annotated[int, Field(ge=0, le=60)] = 0
    extra: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        for name in self.extra:
            if name in Training.model_fields:
                raise ValueError(f"extra names {name!r}, which has a key of its own")
        return self

    @model_validator(mode="after")
    def _instances(self) -> Self:
        if self.spot and self.keep_alive_minutes:
            raise ValueError("keep_alive_minutes is for instances that are kept; spot instances cannot be")
        if self.max_wait_hours is not None and not self.spot:
            raise ValueError(
                "max_wait_hours is how long a job waits for spot instances; it needs spot = true"
            )
        return self


CardText = Annotated[str, Field(min_length=1, max_length=2048)]
"""The length is that of the free texts in AWS's JSON schema for model cards."""


class Card(Table):
    """What only people can say on the model card; the pipeline fills in the rest."""

    purpose: CardText | None = None
    intended_uses: CardText | None = None
    limits: CardText | None = None
    risk: Literal["low", "medium", "high", "unknown"] = "unknown"
    risk_reason: CardText | None = None
    ethical_considerations: CardText | None = None


class Capture(Table):
    """What an environment's endpoint keeps of its requests and answers: a share of them, in S3.

    ``destination`` is an S3 prefix, without it ``capture`` in the project's part of its bucket. Requests are
    below it by endpoint, variant and hour.
    """

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    destination: Annotated[str, Field(pattern=S3_PREFIX, max_length=400)] | None = None


class EnvironmentSettings(Table):
    """Where a version serves: the size of its endpoint, and its place if that is not the project's own.

    ``promotion``: whether an approved version enters by itself (``automatic``, the default) or by a
    person's word (``manual``, the default of ``prod``); it concerns the automation, not the commands.
    ``replay``: `gatehouse promote` first sends the captured requests of a window through the version.
    """

    instance_type: InstanceType = "ml.m5.large"
    instance_count: InstanceCount = 1
    volume_size_gb: Annotated[int, Field(ge=1, le=512)] | None = None
    startup_timeout_seconds: Annotated[int, Field(ge=60, le=3600)] | None = None
    download_timeout_seconds: Annotated[int, Field(ge=60, le=3600)] | None = None
    promotion: Literal["automatic", "manual"] | None = None
    alarms: Annotated[Names, Field(max_length=10)] = ()
    canary_percent: Annotated[int, Field(ge=1, le=50)] | None = None
    bake_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    capture: Capture | None = None
    replay: bool = False
    account: Annotated[str, Field(pattern=r"^\d{12}$")] | None = None
    region: Annotated[str, Field(pattern=REGION)] | None = None
    role: Annotated[str, Field(pattern=ROLE)] | None = None
    assume_role: Annotated[str, Field(pattern=ROLE)] | None = None

    @model_validator(mode="after")
    def _has_requests(self) -> Self:
        if self.replay and self.capture is None:
            raise ValueError("replay = true needs a table capture: only captured requests can be sent again")
        return self


class Monitoring(Table):
    """How the requests to the project's endpoints are compared with what their versions were made of.

    ``hours`` of a window; what follows from a difference (``retrain``), and after a training that was started
    so, the days until the next.
    """

    hours: Annotated[int, Field(ge=1, le=168)] = 24
    retrain: Literal["never", "ask", "automatic"] = "ask"
    cool_down_days: Annotated[int, Field(ge=1, le=365)] = 7


def _three_environments() -> dict[str, EnvironmentSettings]:
    return {name: EnvironmentSettings() for name in ("dev", "test", "prod")}


class Network(Table):
    """Where jobs and endpoints stand in the network, and the key that encrypts what they write.

    Without it they run in SageMaker's own network and AWS's keys encrypt. ``isolation`` cuts the containers
    off from every network; SageMaker itself brings their inputs and takes their outputs.
    """

    subnets: Annotated[SubnetIds, Field(max_length=16)] = ()
    security_groups: Annotated[SecurityGroupIds, Field(max_length=5)] = ()
    isolation: bool = False
    kms_key: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+$")] | None
    ) = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups belong together; give both or neither")
        return self


EnvironmentName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$")]


class Project(Table):
    """One project of one team: a pipeline, a model package group, endpoints.

    The first three members say which table of which file this is; the rest are that table's keys.
    """

    team: str
    short_name: str
    file: Path

    description: Description
    owner: Text
    task: Task
    accuracy_threshold: Annotated[float, Field(ge=0, le=1)] | None = None

    region: Annotated[str, Field(pattern=REGION)] = DEFAULT_REGION
    role: Annotated[str, Field(pattern=ROLE)] | None = None
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = None
    image_version: Annotated[str, Field(pattern=r"^\d+\.\d+-\d+$")] = "3.2-0"
    processing: Literal["replicated", "sharded"] = "replicated"
    processing_instance_type: Annotated[InstanceType, AtStart] = "ml.m5.xlarge"
    processing_instance_count: Annotated[InstanceCount, AtStart] = 1
    training_instance_type: Annotated[InstanceType, AtStart] = "ml.m5.xlarge"
    training_instance_count: Annotated[InstanceCount, AtStart] = 1
    inference_instance_types: InstanceTypes = ("ml.m5.large", "ml.c5.large", "ml.t2.medium")
    transform_instance_types: InstanceTypes = ("ml.m5.large", "ml.m5.xlarge")
    volume_size_gb: Annotated[int, Field(ge=1, le=16384)] = 30
    max_runtime_hours: Annotated[int, Field(ge=1, le=120)] = 4
    registry: bool = True
    cache_expire_after: Duration = "P30D"
    mlflow: Annotated[str, Field(pattern=MLFLOW)] | None = None

    data: Data
    gate: Gate = Gate()
    training: Training = Training()
    tuning: Tuning | None = None
    card: Card = Card()
    network: Network = Network()
    monitoring: Monitoring = Monitoring()
    environments: Annotated[dict[EnvironmentName, EnvironmentSettings], Field(min_length=1)] = Field(
        default_factory=_three_environments
    )

    @property
    def name(self) -> str:
        """``{team}-{project}``: the pipeline's name and the model package group's."""
        return f"{self.team}-{self.short_name}"

    @property
    def tuned(self) -> tuple[str, ...]:
        """The hyperparameters that are tuned, by the training program's names; mostly none."""
        return tuple(self.tuning.ranges) if self.tuning is not None else ()

    @property
    def root(self) -> Path:
        """The folder of the settings file; a relative data source starts there."""
        return self.file.parent

    @property
    def threshold(self) -> float:
        """Of the gate's metric; ``accuracy_threshold`` is the short form for accuracy."""
        found = self.gate.threshold if self.gate.threshold is not None else self.accuracy_threshold
        assert found is not None, "one of them is set"
        return found

    @property
    def max_wait_hours(self) -> int | None:
        """How long a training on spot instances may take with its waiting; None on other instances."""
        if not self.training.spot:
            return None
        return self.training.max_wait_hours or 2 * self.max_runtime_hours

    def promotion(self, environment: str) -> Literal["automatic", "manual"]:
        """Whether an approved version enters an environment by itself."""
        return self.environments[environment].promotion or (
            "manual" if environment == "prod" else "automatic"
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = [*self._problems()]
        if wrong:
            # Each at the place of its key, as pydantic's own complaints are.
            raise ValidationError.from_exception_data(
                "Project",
                [
                    InitErrorDetails(
                        type=PydanticCustomError(
                            INCONSISTENT, "{what}. {remedy}", {"what": found.what, "remedy": found.remedy}
                        ),
                        loc=found.path,
                        input=None,
                    )
                    for found in wrong
                ],
            )
        return self

    def _problems(self) -> Iterator[Problem]:
        """What its tables must not say together."""
        if self.task != "binary" and self.data.positive_class is not None:
            what = f"positive_class belongs to task = 'binary'; a {self.task} task has none"
            yield Problem(("data", "positive_class"), what, "Take it out")
        yield from problems_of_training(dict(self.training), self.training.extra, self.task)
        waits = self.max_wait_hours
        if waits is not None and waits < self.max_runtime_hours:
            what = f"{waits} is less than max_runtime_hours, {self.max_runtime_hours}, which is a part of it"
            yield Problem(("training", "max_wait_hours"), what, "Make it at least as long")
        champion = self.gate.champion
        if champion is not None and champion not in self.environments:
            remedy = which_one(champion, self.environments, "environments")
            yield Problem(("gate", "champion"), f"{champion!r} is no environment", remedy)
        data = self.data
        if data.query is not None:
            columns = {
                "target": (data.target,),
                "columns": data.columns or (),
                **data.named,
                **data.notations,
            }
            yield from problems_of_names({("data", key): names for key, names in columns.items()})
            yield from problems_of_names({("gate", "slices"): self.gate.slices})
        if self.tuning is not None:
            yield from problems_of_tuning(self.tuning, self.task)
        yield from problems(self.gate, self.task, data.target, data.columns, self.accuracy_threshold)
