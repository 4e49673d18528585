"""`gatehouse local images`: what stands for the images that pipelines name, and environments of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pipelines.commands import local_endpoint
from pipelines.commands.output import Document, Output, Remark, Table, with_json
from pipelines.settings.projects_file import load_settings_if_any

_IMAGE = re.compile(r"[\w.-]+/[\w./-]+:[\w.-]+")


@click.group("images", invoke_without_command=True)
@click.option(
    "--allow-install/--forbid-install",
    default=None,
    help="Whether jobs may have what their code requires installed; kept until it is said otherwise.",
)
@with_json
def group(allow_install: bool | None) -> Output:
    """Show the images that pipelines and models name, and which Python stands for each.

    Jobs run in this environment. An image of scikit-learn or XGBoost can have one of its own, with that
    image's Python and libraries; jobs then use it.

    \b
    Examples:
      gatehouse local images
      gatehouse local images build sagemaker-scikit-learn:1.2-1
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    if allow_install is not None:
        local_endpoint.allow_install(allow_install)
    settings = load_settings_if_any()
    found = local_endpoint.advertised(settings)
    named = _named(local_endpoint.client_of(settings, found)) if found else ()
    shown = [local_endpoint.stand_in(settings, uri) for uri in named]
    table = local_endpoint.image_environments()
    allowed = local_endpoint.install_is_allowed()
    yield Document({"named": shown, "environments": table, "requirements_are_installed": allowed})
    if shown:
        yield Table(("Image", "Runs in", "Differs"), [tuple(one.values()) for one in shown])
        yield ""
    yield Table(
        ("Can be built", "Python", "Environment"),
        [(str(one["image"]), str(one["python"]), one["environment"] or "not built") for one in table],
    )
    yield f"The requirements.txt of jobs is {'installed' if allowed else 'not installed'}"
    if found is None:
        yield Remark("The local SageMaker is not up: which images are named is not known.")


@group.command("build")
@click.argument("image", metavar="IMAGE")
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another Python than one of the image's version, which may stand for it.",
)
@with_json
def build(image: str, python: Path | None) -> Output:
    """Make the environment of an image, with pip; one that is there stays.

    IMAGE is a name of the list, for example sagemaker-scikit-learn:1.2-1.
    """
    made = local_endpoint.build_image(image, python)
    yield Document({"image": image, "environment": str(made)})
    yield f"Jobs of {image} run in {made}"


def _named(sagemaker: Any) -> tuple[str, ...]:
    """The images in the definitions of pipelines, and those of models."""
    texts: list[str] = []
    for page in sagemaker.get_paginator("list_pipelines").paginate():
        for one in page["PipelineSummaries"]:
            described = sagemaker.describe_pipeline(PipelineName=one["PipelineName"])
            texts += _IMAGE.findall(described["PipelineDefinition"])
    for page in sagemaker.get_paginator("list_models").paginate():
        for one in page["Models"]:
            described = sagemaker.describe_model(ModelName=one["ModelName"])
            parts: Iterable[Any] = [described.get("PrimaryContainer") or {}, *described.get("Containers", [])]
            texts += [part["Image"] for part in parts if "Image" in part]
    return tuple(sorted({text for text in texts if ".amazonaws.com" in text}))
