"""The zip file that Lambda runs: complete by itself, and the same bytes for the same files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from policies import of_type, resources

from pipelines.infra.handler_code import EVALUATION, FORMATS, ROOT, gather_handler_code

IMPORTS = """
import importlib, json, sys
code, checkout, handlers = sys.argv[1:]
sys.path = [code, *(place for place in sys.path if place != checkout)]  # an editable installation names it
for handler in json.loads(handlers):
    module, _, name = handler.rpartition(".")
    assert callable(vars(importlib.import_module(module))[name])
others = ("pipelines", "pydantic", "sagemaker", "pandas")
print(json.dumps(sorted({name for name in sys.modules if name.split(".")[0] in others})))
"""


def test_every_handler_of_the_template_is_in_it_and_needs_no_more(tmp_path: Path) -> None:
    archive = tmp_path / "handlers.zip"
    archive.write_bytes(gather_handler_code().content)
    code = tmp_path / "task"  # as Lambda lays it out
    shutil.unpack_archive(archive, code)
    functions = of_type(resources("automation"), "AWS::Lambda::Function")
    handlers = [function["Handler"] for function in functions.values()]
    assert len(handlers) == 6
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(code), str(ROOT), json.dumps(handlers)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_the_pages_say_to_pack_the_same_files() -> None:
    page = (ROOT / "docs/aws.md").read_text(encoding="utf-8")
    assert set(re.findall(r"aws_formats/(\w+)\.py", page)) == set(FORMATS)
    assert set(re.findall(r"evaluation/(\w+)\.py", page)) == set(EVALUATION)


def test_it_is_named_by_its_content(tmp_path: Path) -> None:
    code = gather_handler_code()
    assert gather_handler_code() == code
    assert code.key("rc-x") == f"rc-x/automation/{code.digest}.zip"
    for package, file in (("automation", "a.py"), ("registry", "b.py")):
        (tmp_path / package).mkdir()
        (tmp_path / package / file).write_text("pass\n")
    (tmp_path / "aws_formats").mkdir()
    for name in FORMATS:
        (tmp_path / f"aws_formats/{name}.py").write_text("")
    (tmp_path / "evaluation").mkdir()
    for name in EVALUATION:
        (tmp_path / f"evaluation/{name}.py").write_text("")
    before = gather_handler_code(tmp_path)
    (tmp_path / "automation/a.py").write_text("pass  # changed\n")
    assert gather_handler_code(tmp_path).digest != before.digest
