"""XGBoost as a built-in algorithm: a training job of the XGBoost image that names no program.

The program is in ``programs.aws_images`` and runs in the job's interpreter. Here is what the service itself
does for it: it refuses what the algorithm does not take, and adds the algorithm's metric definitions to the
job.
"""

from __future__ import annotations

from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.jobs import images, script_mode
from sagemaker_local.jobs.job import Command, Document
from sagemaker_local.programs import PROGRAMS
from sagemaker_local.programs.aws_images import xgboost_metrics

_RECORDIO = "recordio-protobuf"


def is_asked_for(request: Document) -> bool:
    """Whether a training job's request, or its document, means the built-in algorithm."""
    specification = request["AlgorithmSpecification"]
    if images.xgboost_version(specification["TrainingImage"]) is None:
        return False
    if specification.get("ContainerEntrypoint"):
        return False
    return script_mode.script_of(request.get("HyperParameters") or {}) is None


def check(request: Document) -> None:
    """Refuse what the algorithm does not take, or takes on AWS only.

    Raises:
        AwsError: with the member that asks for it.
    """
    if request["AlgorithmSpecification"].get("MetricDefinitions"):
        raise validation_error(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the"
            " request without specifying metric definitions."
        )
    count = request["ResourceConfig"]["InstanceCount"]
    if isinstance(count, int) and count > 1:
        raise not_implemented(f"ResourceConfig.InstanceCount {count} of XGBoost as a built-in algorithm")
    for channel in request.get("InputDataConfig") or []:
        content_type = channel.get("ContentType", "")
        if _RECORDIO in content_type:
            raise not_implemented(
                f"ContentType {content_type} of channel '{channel['ChannelName']}' for XGBoost as a built-in"
                " algorithm"
            )


def command(image: str, environment: dict[str, str]) -> Command:
    version = images.xgboost_version(image)
    assert version is not None
    argv = ["python", "-m", "aws_images.xgboost_training", "/opt/ml", version]
    return Command(argv, environment, str(PROGRAMS))


def added_members(request: Document) -> Document:
    """What a job's document gets besides its request: the metrics that the algorithm writes."""
    if not is_asked_for(request):
        return {}
    definitions = xgboost_metrics.definitions()
    return {"AlgorithmSpecification": {**request["AlgorithmSpecification"], "MetricDefinitions": definitions}}
