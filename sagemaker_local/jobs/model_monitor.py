"""Model Monitor's image ``sagemaker-model-monitor-analyzer``: which jobs mean it, and what runs for it.

A processing job of the image that names no entry point analyses a dataset by the image's own program; here
by the program in ``programs/model_monitor``, in the interpreter of the job.
"""

from __future__ import annotations

import re

from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.jobs.job import Command, Document
from sagemaker_local.programs import PROGRAMS

_IMAGE = re.compile(r"(?:^|/)sagemaker-model-monitor-analyzer(?:[:@].*)?$")
_FOLDER = PROGRAMS / "model_monitor"
_ANALYSES = ("DATA_QUALITY", "MODEL_QUALITY")


def is_asked_for(specification: Document) -> bool:
    """Whether an AppSpecification means the image's own program, the image in any account and region."""
    image, entry_point = specification["ImageUri"], specification.get("ContainerEntrypoint")
    return _IMAGE.search(image) is not None and not entry_point


def check(request: Document) -> None:
    """Refuse what the program does not do, or does on AWS only.

    Raises:
        AwsError: with the member that asks for it.
    """
    variables = request.get("Environment") or {}
    analysis = variables.get("analysis_type") or _ANALYSES[0]
    if analysis not in _ANALYSES:
        raise not_implemented(f"Environment.analysis_type {analysis} of Model Monitor's image")
    if analysis == "MODEL_QUALITY" and variables.get("record_preprocessor_script"):
        raise not_implemented(
            "Environment.record_preprocessor_script of MODEL_QUALITY of Model Monitor's image"
        )
    for needed in ("dataset_format", "dataset_source", "output_path"):
        if not variables.get(needed):
            raise validation_error(f"Model Monitor's image needs the variable {needed} in Environment.")
    count = request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
    if isinstance(count, int) and count > 1:
        raise not_implemented(f"InstanceCount {count} of Model Monitor's image")


def command(environment: dict[str, str]) -> Command:
    """What an instance runs."""
    return Command(["python", str(_FOLDER / "analyze.py"), "/opt/ml"], environment, str(_FOLDER))
