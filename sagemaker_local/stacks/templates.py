"""A template as a command line names it: a file, its parameters, and where its resources are to be."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Template:
    """A template whose resources are to be created.

    Attributes:
        path: the file.
        parameters: values by name.
        region: where its resources are.
        code_root: the folder that stands for the code of functions that the template takes from S3.
        name: the stack's name; two stacks of one template need two.
    """

    path: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    region: str = "us-east-1"
    code_root: Path | None = None
    name: str | None = None


def parse(text: str) -> Template:
    """A template as a command line names it: a path, and settings after a question mark as in a URL.

    ``PATH?Parameter=value&...``; the keys ``@region``, ``@code`` and ``@name`` are the other attributes.
    """
    path, _, query = text.partition("?")
    settings = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    own = {name: settings.pop(f"@{name}") for name in ("region", "code", "name") if f"@{name}" in settings}
    return Template(
        Path(path),
        settings,
        own.get("region", "us-east-1"),
        Path(own["code"]) if "code" in own else None,
        own.get("name"),
    )
