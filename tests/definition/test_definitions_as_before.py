"""The example projects' definitions are, byte for byte, the documents in ``expected/``.

Whatever changes a definition's bytes costs every user an update of the pipeline, and most changes cost
the step cache as well. So a change shows here first, and is made on purpose: by writing the documents
again, with ``python tests/definition/test_definitions_as_before.py``, and reading what differs.
The programs' own digests depend on each line of them, so programs of fixed content stand in their place.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from pipelines.definition.compile import compile_pipeline
from pipelines.definition.sources import gather_sources
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = Path(__file__).parent / "expected"
FILES = {
    name: file
    for file in (ROOT / "projects.toml", Path(__file__).with_name("queried.toml"))
    for name in sorted(load_settings(file).projects)
}
"""The settings file of each project: the examples, and one whose data is a query."""
AWS = {
    "AWS_REGION": "eu-central-1",
    "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/pipeline",
    "ARTIFACT_BUCKET": "artifacts-of-the-team",
    "SAGEMAKER_PROJECT_NAME": "studio-project",
    "SAGEMAKER_PROJECT_ID": "p-0a1b2c3d4e5f",
}


def definition(name: str, target: str, programs: Path) -> str:
    for folder, program in (("processing", "preprocess"), ("training", "train"), ("evaluation", "evaluate")):
        (programs / folder).mkdir(exist_ok=True)
        (programs / folder / f"{program}.py").write_text(f"print('{program}')\n", encoding="utf-8")
    project = load_settings(FILES[name]).project(name)
    where = resolve_target(project, target, AWS)
    sources = gather_sources(project, where, programs=programs, environ={"GATEHOUSE_GIT_COMMIT": "c0ffee"})
    return compile_pipeline(project, where, sources).definition


@pytest.mark.parametrize("target", ["local", "aws"])
@pytest.mark.parametrize("name", FILES)
def test_an_example_project_compiles_to_the_expected_bytes(name: str, target: str, tmp_path: Path) -> None:
    expected = (EXPECTED / f"{name}.{target}.json").read_text(encoding="utf-8")
    assert definition(name, target, tmp_path) == expected


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            for target in ("local", "aws"):
                document = definition(name, target, Path(folder))
                (EXPECTED / f"{name}.{target}.json").write_text(document, encoding="utf-8")
