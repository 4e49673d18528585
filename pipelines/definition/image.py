"""Which versions of AWS's XGBoost image the three programs run on.

A step that meets a Python without what its program uses fails when it starts: evaluation, the last one, hours
after the training was paid for. So it is found when the definition is compiled.
"""

from __future__ import annotations

from datetime import date, timedelta

from aws_formats.errors import GatehouseError
from aws_formats.xgboost_images import IMAGES, version_key
from pipelines.settings.project import Project
from pipelines.settings.projects_file import place_of

OLDEST_PYTHON = (3, 11)
"""Of the programs; ``python_requires`` in ``setup.py`` says it for this package."""

RUN_ON = tuple(version for version, image in IMAGES.items() if image.python >= OLDEST_PYTHON)
"""The known versions that have it, newest first."""

_AHEAD = timedelta(days=183)


def check_image(project: Project) -> None:
    """Check that the programs run on the project's image. A version newer than all known ones passes.

    Raises:
        GatehouseError: they do not.
    """
    problem = _problem(project.image_version)
    if problem is not None:
        raise GatehouseError(
            problem, where=place_of(project, "image_version"), remedy=f"Write image_version = {RUN_ON[0]!r}"
        )


def _problem(version: str) -> str | None:
    image = IMAGES.get(version)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    if image is not None and image.python < OLDEST_PYTHON:
        return f"image {version} has Python {image.python_version}; the programs need {oldest} or newer"
    if image is None and version_key(version) < max(map(version_key, IMAGES)):
        return f"image {version} is none that the programs are known to run on; those are {', '.join(RUN_ON)}"
    return None


def end_of_patches(version: str, today: date) -> tuple[str, str | None]:
    """Until when an image is patched, and what to do about it if that day is less than half a year ahead."""
    image = IMAGES.get(version)
    if image is None or image.patched_until is None:
        return f"{version}; nothing is known of its end", "See AWS's support policy for this image"
    end = image.patched_until
    if end - today > _AHEAD:
        return f"{version}, Python {image.python_version}, patched until {end}", None
    said = "has been patched until" if end < today else "is patched until"
    newer = [other for other in RUN_ON if version_key(other) > version_key(version)]
    remedy = (
        f"Write image_version = {newer[0]!r}"
        if newer
        else "A newer version of this package may know a newer image"
    )
    return f"{version} {said} {end} only", remedy
