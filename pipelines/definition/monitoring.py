"""The second pipeline of a project: one window of an environment's requests, compared with its version.

    parameters -> FindWindow -> CheckWindow -> CompareWindow -> AnnounceWindow

FindWindow and AnnounceWindow are Lambda functions (``automation/templates/pipeline.yaml``), because the job
between them may have no network. It is started by a schedule of each environment's own, or by hand, and its
executions are looked at like those of any pipeline. Nothing is cached: a window is not the same twice.
"""

from __future__ import annotations

import json
from typing import Any

from pipelines.definition import limits
from pipelines.definition import sagemaker_sdk as sdk
from pipelines.definition.bundles import monitoring_code
from pipelines.definition.compile import Compiled
from pipelines.definition.dataset import Dataset
from pipelines.definition.pipeline import ENVIRONMENT, PROCESSING, function_arn, job_prefix
from pipelines.settings.monitoring import monitoring_name
from pipelines.settings.project import Network, Project
from pipelines.settings.tags import resource_tags
from pipelines.settings.target import Target

_INPUTS = {
    "model": "ModelUri",
    "quality": "QualityUri",
    "evaluation": "EvaluationUri",
    "window": "WindowUri",
    "captures": "CapturesUri",
}
"""The job's inputs, by the outputs of FindWindow."""
_MANIFESTS = ("window", "captures")
_OUTPUTS = {"report": "ReportUri", "past": "PastUri", "answers": "AnswersUri"}


def compile_monitoring(project: Project, target: Target) -> Compiled:
    """Compile the project's monitoring pipeline for a target.

    Raises:
        GatehouseError: a program is missing, or AWS would refuse the definition.
    """
    bundle = monitoring_code(project)
    session = sdk.offline_session(target.region, target.bucket)
    description = (
        f"Compares the requests to endpoints of {project.name} with what their versions were made of"
    )
    with sdk.undisturbed(target.region):
        pipeline = _build(project, target, session, bundle.uri(target.bucket), description)
    text = pipeline.definition()
    tags = resource_tags(project, target)
    limits.check_pipeline(pipeline.name, description, tags)
    return Compiled(
        name=pipeline.name,
        description=description,
        definition=text,
        parameters={one["Name"]: one.get("DefaultValue") for one in json.loads(text)["Parameters"]},
        bundles=(bundle,),
        dataset=Dataset("", ""),
        tags=tags,
    )


def _build(project: Project, target: Target, session: Any, code: str, description: str) -> Any:
    environment = sdk.ParameterString("Environment", enum_values=list(project.environments))
    window_end = sdk.ParameterString("WindowEnd", "")
    find = sdk.lookup(
        "FindWindow",
        function_arn(project, target, "find-window"),
        {
            "Environment": environment,
            "WindowEnd": window_end,
            "StartedAt": sdk.ExecutionVariables.START_DATETIME,
        },
        ["Version", *_INPUTS.values(), *_OUTPUTS.values(), "Sentence"],
        session,
        display_name="Find the window",
        description="Looks up which version serves, and lists the requests that were captured",
    )
    found = find.properties.Outputs
    compare = sdk.NamedProcessingStep(
        name="CompareWindow",
        job_prefix=job_prefix(project, "CompareWindow"),
        display_name="Compare requests",
        description="Compares every column of the requests, and the answers, with the version's baseline",
        step_args=_processor(project, target, session).run(
            inputs=[
                sdk.processing_input("code", code, f"{PROCESSING}/input/code"),
                *(
                    sdk.processing_input(
                        name,
                        found[output],
                        f"{PROCESSING}/input/{name}",
                        "ManifestFile" if name in _MANIFESTS else "S3Prefix",
                    )
                    for name, output in _INPUTS.items()
                ),
            ],
            outputs=[
                sdk.processing_output(name, found[output], f"{PROCESSING}/output/{name}")
                for name, output in _OUTPUTS.items()
            ],
            arguments=["--opt-ml", "/opt/ml"],
        ),
    )
    announce = sdk.lookup(
        "AnnounceWindow",
        function_arn(project, target, "announce-window"),
        {"Environment": environment, "ReportUri": found["ReportUri"]},
        ["Status", "Sentence"],
        session,
        display_name="Say what was found",
        description="Writes the verdict as metrics and as an event",
        depends_on=[compare],
    )
    check = sdk.ConditionStep(
        name="CheckWindow",
        display_name="Nothing to compare?",
        description="Ends here where no version serves, or where the endpoint captures nothing",
        conditions=[sdk.ConditionEquals(left=found["Version"], right="none")],
        if_steps=[],
        else_steps=[compare, announce],
    )
    return sdk.GatedPipeline(
        name=monitoring_name(project.name),
        description=description,
        region=target.region,
        role_arn=target.role_arn,
        tags=resource_tags(project, target),
        pipeline_experiment_config=None,
        parameters=[environment, window_end],
        steps=[find, check],
        sagemaker_session=session,
        check=limits.check_definition,
        publish=lambda: None,
    )


def _processor(project: Project, target: Target, session: Any) -> Any:
    network = project.network
    return sdk.Processor(
        role=target.role_arn,
        image_uri=sdk.xgboost_image(target.region, project.image_version),
        entrypoint=["python3", f"{PROCESSING}/input/code/monitor.py"],
        instance_type=project.processing_instance_type,
        instance_count=1,
        volume_size_in_gb=project.volume_size_gb,
        max_runtime_in_seconds=project.max_runtime_hours * 3600,
        sagemaker_session=session,
        env=ENVIRONMENT,
        volume_kms_key=network.kms_key,
        output_kms_key=network.kms_key,
        network_config=sdk.NetworkConfig(
            subnets=list(network.subnets) or None,
            security_group_ids=list(network.security_groups) or None,
            enable_network_isolation=network.isolation,
        )
        if network != Network()
        else None,
        tags=resource_tags(project, target),
    )
