"""QualityCheck steps: Model Monitor's analysis of a dataset in a pipeline, against a baseline of before.

The step always calculates a new baseline, with its statistics and its constraints. Unless SkipCheck is true
the dataset is checked against the previous one: the files that the step is supplied with, or else those of
``DriftCheckBaselines`` of the latest approved version of ModelPackageGroupName. A violation fails the step,
unless FailOnViolation is false. With RegisterNewBaseline the new baseline is the one "used for drift check",
which a later step registers with the model; else the previous one is. "Baseline calculation, drift detection
and lifecycle" in the SageMaker developer guide has the table of all cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.definition_language import LanguageError, is_expression

DOCUMENTS = ("Statistics", "Constraints")
PROPERTIES = tuple(
    f"{which}{document}"
    for which in ("CalculatedBaseline", "BaselineUsedForDriftCheck")
    for document in DOCUMENTS
)
_TYPES = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}
"""CheckType -> the member of a version's DriftCheckBaselines."""

_SWITCHES = {"SkipCheck": False, "FailOnViolation": True, "RegisterNewBaseline": False}
_TEXTS = ("ModelPackageGroupName", "SuppliedBaselineStatistics", "SuppliedBaselineConstraints")
_FOLDER = "/opt/ml/processing/baseline"
_VIOLATED = "CompletedWithViolations"

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Calls an operation of SageMaker."""


def members(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a step of a definition says besides its Arguments, with what is left out filled in.

    Raises:
        LanguageError: a member is not what it has to be.
    """
    found = {"CheckType": document.get("CheckType")}
    if found["CheckType"] not in _TYPES:
        raise LanguageError(f"CheckType must be {' or '.join(_TYPES)}, not {found['CheckType']!r}.")
    for name, usual in _SWITCHES.items():
        found[name] = usual if document.get(name) is None else document[name]
    found |= {name: document.get(name) for name in _TEXTS}
    _check_types(found, also_expressions=True)
    return found


def _check_types(found: Mapping[str, Any], *, also_expressions: bool) -> None:
    for name, value in found.items():
        kind: Any = bool if name in _SWITCHES else str | None
        if not isinstance(value, kind) and not (also_expressions and is_expression(value)):
            said = "true or false" if name in _SWITCHES else "a text"
            raise LanguageError(f"{name} must be {said}, not {value!r}.")


@dataclass(frozen=True)
class Check:
    """One run of such a step, its members resolved.

    Attributes:
        given: the members, e.g. ``SkipCheck``.
        previous: where the previous baseline's documents are, by ``Statistics`` and ``Constraints``; those
            that there are.
    """

    given: Mapping[str, Any]
    previous: Mapping[str, str]

    @classmethod
    def begun(cls, resolved: Mapping[str, Any], call: Call) -> Check:
        """Find the previous baseline.

        Raises:
            LanguageError: there is none and the step needs one, or a parameter's value is not what a member
                has to be.
            AwsError: the model package group cannot be looked at.
        """
        _check_types(resolved, also_expressions=False)
        needed = not (resolved["SkipCheck"] and resolved["RegisterNewBaseline"])
        supplied = {
            document: resolved[f"SuppliedBaseline{document}"]
            for document in DOCUMENTS
            if resolved[f"SuppliedBaseline{document}"]
        }
        group = resolved["ModelPackageGroupName"]
        registered = {}
        if needed and group and len(supplied) < len(DOCUMENTS):
            registered = _registered(group, _TYPES[resolved["CheckType"]], call)
        check = cls(resolved, {**registered, **supplied})
        wanted = DOCUMENTS if resolved["CheckType"] == "DATA_QUALITY" else DOCUMENTS[1:]
        missing = [document for document in wanted if document not in check.previous]
        if needed and missing:
            raise LanguageError(
                f"there is no previous baseline ({' and '.join(missing).lower()}): supply it, or name a"
                " ModelPackageGroupName whose latest approved version has DriftCheckBaselines. A first run"
                " needs SkipCheck and RegisterNewBaseline."
            )
        return check

    def job(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The processing job's request, with the previous baseline where it is checked against."""
        if self.given["SkipCheck"]:
            return arguments
        inputs, variables = list(arguments.get("ProcessingInputs") or []), {}
        for document, uri in self.previous.items():
            name = f"baseline_{document.lower()}"
            path = f"{_FOLDER}/{document.lower()}"
            source = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
            inputs.append({"InputName": name, "S3Input": source})
            variables[name] = f"{path}/{uri.rpartition('/')[2]}"
        environment = {**(arguments.get("Environment") or {}), **variables}
        return {**arguments, "ProcessingInputs": inputs, "Environment": environment}

    def properties(self, job: Mapping[str, Any]) -> dict[str, str]:
        """The step's properties, given the job's Describe response."""
        calculated = {document: f"{_output_of(job)}/{document.lower()}.json" for document in DOCUMENTS}
        used = calculated if self.given["RegisterNewBaseline"] else self.previous
        return {
            **{f"CalculatedBaseline{document}": uri for document, uri in calculated.items()},
            **{f"BaselineUsedForDriftCheck{document}": uri for document, uri in used.items()},
        }

    def metadata(self, arn: str, job: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The step's metadata, given the job's ARN, and its Describe response once it has completed."""
        shown = {name: self.given[name] for name in ("CheckType", "SkipCheck", "RegisterNewBaseline")}
        if group := self.given["ModelPackageGroupName"]:
            shown["ModelPackageGroupName"] = group
        if job is not None:
            shown |= self.properties(job)
            if not self.given["SkipCheck"]:
                shown["ViolationReport"] = f"{_output_of(job)}/constraint_violations.json"
        return {"QualityCheck": {**shown, "CheckJobArn": arn}}

    def failure(self, job: Mapping[str, Any]) -> str | None:
        """Why a job that has completed fails the step; None where it does not."""
        if not self.given["FailOnViolation"] or not job.get("ExitMessage", "").startswith(_VIOLATED):
            return None
        report = f"{_output_of(job)}/constraint_violations.json"
        return f"ClientError: the dataset violates its baseline ({job['ExitMessage']} See {report})"


def _registered(group: str, member: str, call: Call) -> dict[str, str]:
    """The baseline of the latest approved version of a model package group; nothing where there is none."""
    asked = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }
    versions = call("ListModelPackages", asked)["ModelPackageSummaryList"]
    if not versions:
        return {}
    version = call("DescribeModelPackage", {"ModelPackageName": versions[0]["ModelPackageArn"]})
    baselines = version.get("DriftCheckBaselines", {}).get(member, {})
    return {document: baselines[document]["S3Uri"] for document in DOCUMENTS if document in baselines}


def _output_of(job: Mapping[str, Any]) -> str:
    [output, *_] = job["ProcessingOutputConfig"]["Outputs"]
    return str(output["S3Output"]["S3Uri"]).rstrip("/")
