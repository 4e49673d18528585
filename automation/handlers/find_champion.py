"""Which version the model of a running execution has to match: the one that serves in an environment.

The pipeline calls this itself, by a Lambda step, so that a scheduled execution is judged as one from a
command line, and the job that evaluates needs no network. What serves is what the environment's parameter
names; after a rollback that is the older version.
"""

from __future__ import annotations

from typing import Any

from automation.context import read_context
from automation.handlers import logged
from aws_formats.arns import parse_package_version
from aws_formats.errors import GatehouseError
from registry.artifacts import check_artifacts, recorded_digest
from registry.deployment_history import deployed_arn
from registry.model_packages import describe_arn


@logged
def handle(event: dict[str, Any], _context: object) -> dict[str, str]:
    """For a Lambda step with Environment and WithoutChampionUri.

    Returns:
        Version (its number as text, or none), ArtifactUri (of the champion; WithoutChampionUri without one),
        Sha256 of the artifact (empty where it is not known), and all of it as a Sentence.

    Raises:
        GatehouseError: it cannot be said what serves there, or its artifact is not the one that was approved.
    """
    context = read_context()
    name = event["Environment"]
    stage = context.stage_named(name)
    if stage is None:
        raise GatehouseError(
            f"the functions of {context.project} know no environment {name!r}",
            remedy=f"Deploy them anew: {context.command('infra', 'deploy', context.project)}",
        )
    arn = deployed_arn(stage.environment)
    if arn is None:
        return {
            "Version": "none",
            "ArtifactUri": event["WithoutChampionUri"],
            "Sha256": "",
            "Sentence": f"no version serves in {name} yet",
        }
    named = parse_package_version(arn)
    if named is None:
        raise GatehouseError(
            f"{name} should serve {arn!r}, which is no version", where=stage.environment.parameter
        )
    described = describe_arn(context.clients, arn)
    containers = described.get("InferenceSpecification", {}).get("Containers", ())
    artifacts = [container["ModelDataUrl"] for container in containers if "ModelDataUrl" in container]
    if len(containers) != 1 or len(artifacts) != 1:
        raise GatehouseError(
            f"version {named[1]}, which serves in {name}, is made of {len(containers)} containers with"
            f" {len(artifacts)} artifacts, so no model can be compared with it",
            remedy="Leave champion out of the gate's settings",
        )
    s3 = context.clients.client("s3")
    check_artifacts(s3, described)
    return {
        "Version": str(named[1]),
        "ArtifactUri": artifacts[0],
        "Sha256": recorded_digest(s3, described),
        "Sentence": f"version {named[1]} serves in {name}",
    }
