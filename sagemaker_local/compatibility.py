"""Writes the tables of docs/compatibility.md from what the code carries out.

    python -m sagemaker_local.compatibility

The rest of the page is written by people: a program can say what is implemented, not whose code went through
it. A test fails when the tables are not what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aws_formats.service_models import service_model
from aws_formats.step_cache import KEY_MEMBERS
from sagemaker_local.execution import conditions, graph
from sagemaker_local.services.table import operations

FILE = Path(__file__).parents[1] / "docs" / "compatibility.md"
_BEGIN, _END = "<!-- tables -->\n", "<!-- end of the tables -->\n"


def page(written: str) -> str:
    """The page with today's tables, given the page as it is."""
    head, _, rest = written.partition(_BEGIN)
    return f"{head}{_BEGIN}{''.join(_tables())}{_END}{rest.partition(_END)[2]}"


def _tables() -> Iterator[str]:
    yield "| step | its result is reused while these stay the same |\n| --- | --- |\n"
    for name in graph.RUN_HERE:
        yield f"| {name} | {', '.join(KEY_MEMBERS.get(name, ())) or 'never'} |\n"
    yield f"\nConditions: {', '.join(conditions.TYPES)}.\n\n"
    yield f"Steps that are refused: {', '.join(sorted(graph.ONLY_ON_AWS))}.\n\n"
    yield "| service | operations | of all |\n| --- | --- | --- |\n"
    by_service: dict[str, list[str]] = {}
    for service, operation in operations():
        by_service.setdefault(service, []).append(operation)
    for service, names in sorted(by_service.items()):
        model = service_model(service)
        title = model.metadata["serviceId"]
        yield f"| {title} | {', '.join(sorted(names))} | {len(names)} of {len(model.operation_names)} |\n"


if __name__ == "__main__":
    FILE.write_text(page(FILE.read_text(encoding="utf-8")), encoding="utf-8")
