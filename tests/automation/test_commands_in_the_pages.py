"""Every command that the pages on AWS and on schedules tell people to type is one that there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name
from registered_models import SETTINGS

from pipelines.commands import gatehouse
from pipelines.infra.stacks import build_stack, site_of
from pipelines.settings.projects_file import load_settings
from sagemaker_local.stacks.cloudformation import read

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/aws.md", "docs/schedule.md", "docs/security.md")
SETTINGS_PROGRAM = re.compile(r'^SETTINGS=\$\((.*?")\)$', re.DOTALL | re.MULTILINE)
OF_THE_CLI_ITSELF = {("configure", "sso"), ("cloudformation", "deploy"), ("s3", "cp")}
"""Commands of the AWS CLI that are no operation of a service."""
GLOBAL_OPTIONS = {"--region"}


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command in the page's code: blocks, indented lines and inline code."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = ["\n".join(line[4:] for line in text.splitlines() if re.match(r"    (gatehouse|aws) ", line))]
    inline = [re.sub(r"\s+", " ", found) for found in re.findall(r"`((?:gatehouse|aws) [^`]+)`", text)]
    for block in [*blocks, *indented, *inline]:
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip().startswith(("gatehouse ", "aws ")):
                yield shlex.split(line, comments=True)


ALL = [(page, words) for page in PAGES for words in commands(page)]


def test_the_pages_have_commands() -> None:
    assert len([words for _, words in ALL if words[0] == "gatehouse"]) > 15
    assert len([words for _, words in ALL if words[0] == "aws"]) > 10


@pytest.mark.parametrize(
    "words", [words for _, words in ALL if words[0] == "gatehouse"], ids=lambda words: " ".join(words)
)
def test_a_gatehouse_command_can_be_parsed(words: list[str]) -> None:
    command: click.Command = gatehouse
    context = click.Context(gatehouse, **gatehouse.context_settings)
    rest = [word for word in words[1:] if word != "..."]
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, parent=context)
        if not rest and isinstance(command, click.Group):
            return  # the name of a group, in a sentence
    if "-" not in "".join(rest):  # a command's name in a sentence
        return
    command.make_context(command.name, list(rest), parent=context)


@pytest.mark.parametrize(
    "words", [words for _, words in ALL if words[0] == "aws"], ids=lambda words: " ".join(words)
)
def test_an_aws_command_is_an_operation_with_those_arguments(words: list[str]) -> None:
    _, service, operation, *rest = words
    if (service, operation) in OF_THE_CLI_ITSELF:
        if operation == "deploy":
            template = read(ROOT / rest[rest.index("--template-file") + 1])
            given = rest[rest.index("--parameter-overrides") + 1 :]
            names = {word.partition("=")[0] for word in given}
            needed = {name for name, one in template["Parameters"].items() if "Default" not in one}
            assert needed <= names <= template["Parameters"].keys()
        return
    session = botocore.session.get_session()
    model = session.get_service_model({"s3api": "s3"}.get(service, service))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations
    shape = model.operation_model(operations[operation]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in shape.members} if shape else set()
    given = {word for word in rest if word.startswith("--")}
    assert given <= members | GLOBAL_OPTIONS


def test_the_program_that_prints_the_handlers_settings_prints_what_infra_deploys(tmp_path: Path) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS.format(name="churn"))
    [program] = SETTINGS_PROGRAM.findall((ROOT / "docs/aws.md").read_text(encoding="utf-8"))
    role = "arn:aws:iam::111122223333:role/gatehouse-rc-churn-execution"
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/bin:/usr/bin",
        "PYTHONPATH": str(ROOT),
        "P": "rc-churn",
        "ROLE": role,
    }
    done = subprocess.run(
        ["sh", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    project = load_settings(tmp_path / "projects.toml").project()
    site = site_of(project, "111122223333", project.region)
    stack = build_stack(project, site, "automation", code_key="handlers-1.zip")
    assert site.target.role_arn == role
    assert done.stdout.strip() == stack.parameters["Settings"]
