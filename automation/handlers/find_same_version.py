"""Whether the newest version is the very model of a running execution, which then is not registered again.

The pipeline calls this itself, by a Lambda step, after the gate has let a model pass: a schedule that finds
nothing new would otherwise fill the registry, and ask for a review of each copy. Same means byte for byte:

    artifact     its SHA-256, as both evaluations noted it
    data         the data set's version, the statistics of the training part, the SHA-256 of the test part
    evaluation   the verdict with every check and metric, less the check against the champion, because
                 another version may serve by now
"""

from __future__ import annotations

import os
from typing import Any

from automation.context import read_context
from automation.handlers import logged
from registry.clients import read_document, read_object
from registry.model_packages import PENDING, describe_arn, newest_arn
from registry.verdicts import CHAMPION

_NONE = "none"

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # While the code is loaded, for which an execution need not wait: it takes as long as all imports.
    read_context().clients.client("sagemaker")


@logged
def handle(event: dict[str, Any], _context: object) -> dict[str, str]:
    """For a Lambda step with VerdictUri, DataStatisticsUri, DatasetVersion and RegisterAgain.

    Returns:
        Version (the number of the newest version, if it is the same model; or none), and a Sentence.
    """
    context = read_context()
    if event["RegisterAgain"] == "true":
        return {"Version": _NONE, "Sentence": "to be registered, whether it is the same model again or not"}
    arn = newest_arn(context.clients, context.project)
    if arn is None:
        return {"Version": _NONE, "Sentence": "the first version"}
    described = describe_arn(context.clients, arn)
    number = str(described["ModelPackageVersion"])
    difference = _difference(context.clients.client("s3"), event, described)
    if difference is not None:
        return {"Version": _NONE, "Sentence": f"not version {number} again: {difference}"}
    approval = described.get("ModelApprovalStatus", PENDING)
    return {"Version": number, "Sentence": f"this is version {number} again, which is {approval}"}


def _difference(s3: Any, event: dict[str, Any], described: dict[str, Any]) -> str | None:
    """What differs between the model and a version, in words; None if nothing does."""
    properties = described.get("CustomerMetadataProperties", {})
    if event["DatasetVersion"] != properties.get("dataset_version"):
        return "the data set has another version"
    ours, theirs = (_verdict(s3, uri) for uri in (event["VerdictUri"], properties.get("verdict_uri")))
    if not ours or not theirs:
        return "one of the two has no verdict"
    for key, words in (("artifact_sha256", "another artifact"), ("test_sha256", "another test part")):
        if not ours.get(key) or ours[key] != theirs.get(key):
            return words
    if ours != theirs:
        return "another evaluation"
    quality = described.get("ModelMetrics", {}).get("ModelDataQuality", {}).get("Statistics", {}).get("S3Uri")
    statistics = read_object(s3, event["DataStatisticsUri"])
    if statistics is None or not quality or statistics != read_object(s3, quality):
        return "other statistics of the training part"
    return None


def _verdict(s3: Any, uri: str | None) -> dict[str, Any]:
    """``verdict.json`` less what may be about the champion; empty if there is none."""
    found = read_document(s3, uri)
    if not isinstance(found, dict) or not isinstance(found.get("checks"), list):
        return {}
    checks = [check for check in found["checks"] if check.get("name") != CHAMPION]
    return {**found, "checks": checks, "sentence": None}
