"""Gives the commands a SageMaker that answers: AWS, the one kept up on this machine, or one of their own.

This is the only module that knows the package `sagemaker_local`. A command that works on this machine
uses the endpoint that `gatehouse local up` advertises in the home folder; where there is none, one
runs inside the command's own process for as long as it is needed. It starts in a thread, so that the
command can compile in the meantime.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aws_formats.errors import GatehouseError
from pipelines.commands.output import notice
from pipelines.commands.project_context import ProjectContext
from pipelines.commands.whole_file import whole_file
from pipelines.settings.project import DEFAULT_REGION
from pipelines.settings.projects_file import Settings
from pipelines.settings.target import Target
from sagemaker_local import advertisement
from sagemaker_local.advertisement import BUNDLE_VARIABLES, Advertisement
from sagemaker_local.errors import CannotStart
from sagemaker_local.home import Home, is_alive, process_of
from studio.links import link, links_of

if TYPE_CHECKING:
    from sagemaker_local.endpoint import Endpoint
    from sagemaker_local.jobs.opt_ml import OptMl
    from sagemaker_local.stacks.templates import Template

START_LIMIT = 60.0
"""Seconds that a new endpoint may take until it answers."""

STOP_LIMIT = 60.0
"""Seconds that an endpoint may take to stop its jobs and end."""

_PAGE = "/studio=studio.local_page:page"
"""What an endpoint that is kept up shows a browser, and where; made at the first visit."""

_TEMPLATES = "templates.json"
"""In the home: the templates that an endpoint was brought up with, and those of later settings, by stack."""


def home_folder(settings: Settings) -> Path:
    """Where the local SageMaker keeps everything: `GATEHOUSE_HOME`, or `.gatehouse` beside the settings.

    Raises:
        GatehouseError: `GATEHOUSE_HOME` begins with the home of a user that there is not.
    """
    named = os.environ.get("GATEHOUSE_HOME")
    try:
        return Path(named).expanduser().absolute() if named else settings.root / ".gatehouse"
    except RuntimeError as error:  # there is no such user
        raise GatehouseError(str(error), where="GATEHOUSE_HOME", remedy="Name a folder of yours") from error


@contextmanager
def connection(
    target: Target, settings: Settings, *, runs: bool = False, changes: bool = False
) -> Iterator[Callable[[], Target]]:
    """A SageMaker for the time of the `with` block, which may start while the block does something else.

    Args:
        runs: whether executions will run in it, which call functions.
        changes: whether something is changed whose events call functions, where an endpoint is kept up.

    Yields:
        A function that waits until it answers and gives the target with its URL; in AWS it gives the
        target as it is.
    """
    if target.name == "aws":
        yield lambda: target
        return
    home = home_folder(settings)
    kept_up = _running(home)
    if kept_up is not None:
        if runs or changes:
            _create_what_is_new(home, settings)
        yield lambda: target.at(kept_up.url)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="endpoint") as threads:
        starting: Future[Endpoint] = threads.submit(_start, home, settings, runs)
        try:
            yield lambda: target.at(_answering(home, starting).url)
        finally:
            if starting.exception() is None:
                starting.result().close()


def _start(home: Path, settings: Settings, runs: bool) -> Endpoint:
    """An endpoint in this process. Events wait until one is kept up, so it needs no other functions."""
    from sagemaker_local import endpoint  # takes a quarter of a second, which only this case needs

    created: list[Template] = []
    if runs:
        from pipelines.commands.local_automation import pipeline_templates
        from sagemaker_local.stacks import templates

        created = [templates.parse(text) for text in pipeline_templates(settings).values()]
    return endpoint.start(home, interpreters=interpreters(settings), templates=created)


def _create_what_is_new(home: Path, settings: Settings) -> None:
    """Bring the functions and rules of an endpoint that is kept up to what the settings say by now.

    Since it came up a project may have been added, or an environment changed. An endpoint that another
    program than `gatehouse local up` has brought up has no automation, and gets none.
    """
    try:
        known = json.loads((home / _TEMPLATES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    wanted = _templates(settings)
    new = [text for stack, text in wanted.items() if known.get(stack) != text]
    if new:
        from sagemaker_local import endpoint
        from sagemaker_local.stacks import templates

        with _home_errors(home):
            endpoint.start(home, templates=[templates.parse(text) for text in new]).close()
            _note_templates(home, {**known, **wanted})


def _note_templates(home: Path, templates: dict[str, str]) -> None:
    with whole_file(home / _TEMPLATES) as file:
        file.write(json.dumps(templates).encode())


@contextmanager
def connected(
    context: ProjectContext, *, runs: bool = False, changes: bool = False
) -> Iterator[ProjectContext]:
    """The same context with a SageMaker that answers, for the time of the `with` block; see `connection`."""
    with connection(context.target, context.settings, runs=runs, changes=changes) as connect:
        yield replace(context, target=connect())


def is_kept_up(settings: Settings) -> bool:
    """Whether an endpoint is advertised that outlives this command."""
    return _running(home_folder(settings)) is not None


def interpreters(settings: Settings) -> dict[str, str]:
    """Image pattern -> Python interpreter; a relative path starts at the settings file."""
    return {
        image: str(settings.root / path) if os.sep in path else path
        for image, path in settings.local.interpreters.items()
    }


def _running(home: Path) -> Advertisement | None:
    """The endpoint that is kept up over a home.

    Raises:
        GatehouseError: the home is no folder, or cannot be read.
    """
    with _home_errors(home):
        return advertisement.running(home)


@contextmanager
def _home_errors(home: Path) -> Iterator[None]:
    """What the home's files refuse, in one line."""
    try:
        yield
    except CannotStart as error:
        raise GatehouseError(str(error)) from error
    except OSError as error:
        raise GatehouseError(str(error), where=str(home), remedy="Free or repair this folder") from error


@contextmanager
def endpoint_with_clock(home: Path, settings: Settings) -> Iterator[tuple[str, Callable[[datetime], None]]]:
    """A SageMaker in this process, with the automation, over a home of its own; its clock is set.

    Yields:
        its URL, and a function that sets the clock to a moment, from which it goes on; never back, after the
        first time.
    """
    from sagemaker_local import clocks, endpoint
    from sagemaker_local.stacks import templates

    def set_clock(moment: datetime) -> None:
        wanted = moment.timestamp() - time.time()
        was_set = bool(clocks.ahead())
        clocks.set_ahead(max(wanted, clocks.ahead()) if was_set else wanted)

    created = [templates.parse(text) for text in _templates(settings).values()]
    try:
        with _home_errors(home):
            started = endpoint.start(
                home, interpreters=interpreters(settings), advertise=True, templates=created
            )
        with started:
            yield started.url, set_clock
    finally:
        clocks.set_ahead(0.0)


def _answering(home: Path, starting: Future[Endpoint]) -> Endpoint:
    with _home_errors(home):
        started = starting.result()
    for execution in started.interrupted:
        _report_interrupted(execution)
    return started


def _report_interrupted(execution: Mapping[str, Any]) -> None:
    """Name an execution that was under way when the process that ran it was killed."""
    arn = execution["PipelineExecutionArn"]
    reason = " ".join(str(execution.get("FailureReason", "")).split())
    notice(f"An earlier execution did not end by itself: {arn}")
    notice(f"  {reason or 'The process that ran it was killed.'} It is marked Failed.")
    notice(f"  Run what is left of it with: gatehouse retry {arn} --wait")


def already_up(settings: Settings, port: int) -> Advertisement | None:
    """The endpoint that is kept up, brought up to date with the settings; None if there is none.

    Raises:
        GatehouseError: it has another port than the one asked for; 0 asks for none.
    """
    home = home_folder(settings)
    found = _running(home)
    if found is not None:
        _require_port(found, port)
        _create_what_is_new(home, settings)
    return found


def keep_up(settings: Settings, port: int) -> Advertisement:
    """Start an endpoint in a process of its own and return once it, or one that was begun meanwhile, answers.

    Raises:
        GatehouseError: it did not come up; the end of its log says why. Or the other one has another port
            than the one asked for.
    """
    home = home_folder(settings)
    wanted = _templates(settings)
    command = _command(home, port, settings, wanted)
    log = home / "endpoint.log"
    with _home_errors(home):
        Home(home).create()
        _note_templates(home, wanted)
        with open(log, "ab", opener=_private) as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=settings.root,
                start_new_session=True,  # Ctrl-C in this terminal is not meant for it
            )
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        advertised = _running(home)
        if advertised is not None:
            _require_port(advertised, port)
            return advertised
        if process.poll() is not None:
            raise GatehouseError(
                f"the local SageMaker ended at once: {_last_line(log)}",
                where=str(log),
                remedy="See that file; a port that is taken is changed with --port",
            )
        time.sleep(0.05)
    process.terminate()
    raise GatehouseError(
        f"the local SageMaker did not answer within {START_LIMIT:.0f} s",
        where=str(log),
        remedy="See that file",
    )


def serve(settings: Settings, port: int) -> None:
    """Keep an endpoint up in this process until Ctrl-C or SIGTERM."""
    from sagemaker_local import endpoint
    from sagemaker_local.page import Page
    from sagemaker_local.stacks import templates

    home = home_folder(settings)
    found = _running(home)
    if found is not None:
        raise _second(found)
    wanted = _templates(settings)
    with _home_errors(home):
        Home(home).create()
        _note_templates(home, wanted)
        endpoint.serve(
            home,
            port=port,
            interpreters=interpreters(settings),
            templates=[templates.parse(text) for text in wanted.values()],
            page=Page.parse(_PAGE),
        )


def take_down(settings: Settings) -> Advertisement | None:
    """End the endpoint that is kept up, its jobs included; None if there is none.

    Raises:
        GatehouseError: it did not leave in time.
    """
    home = home_folder(settings)
    advertised = _running(home)
    if advertised is None:
        return None
    os.kill(advertised.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT
    while time.monotonic() < deadline:
        # Not found any more is not gone: it still ends its functions and closes its database.
        if all(process_of(owner) != advertised.pid for owner in owners_alive(settings)):
            return advertised
        time.sleep(0.05)
    raise GatehouseError(
        f"the local SageMaker (process {advertised.pid}) did not end within {STOP_LIMIT:.0f} s",
        remedy=f"End it with `kill -9 {advertised.pid}`; nothing acknowledged is lost",
    )


def page_link(settings: Settings, path: str = "/") -> str | None:
    """The link to one of the pages, where an endpoint is kept up that shows them and there are settings."""
    home = home_folder(settings)
    found = _running(home)
    if found is None or not (home / _TEMPLATES).is_file() or not settings.file.is_file():
        return None
    return link(found.url, links_of(home), path)


def client_variables(found: Advertisement) -> dict[str, str]:
    """Where AWS's clients find an endpoint: those that read its address, and those that name AWS's hosts."""
    here = "127.0.0.1,localhost"
    return {
        "AWS_ENDPOINT_URL": found.url,
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), found.proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), here),
        **dict.fromkeys(BUNDLE_VARIABLES, found.bundle),
    }


def advertised(settings: Settings) -> Advertisement | None:
    """The endpoint that is kept up, if there is one."""
    return _running(home_folder(settings))


def client_of(settings: Settings, found: Advertisement) -> Any:
    """SageMaker's client of an endpoint that is kept up."""
    import boto3

    region = settings.first_project.region if settings.first_project else DEFAULT_REGION
    return boto3.client(
        "sagemaker",
        endpoint_url=found.url,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def stand_in(settings: Settings, image: str) -> dict[str, str]:
    """Which Python runs the jobs of an image here, and what is known to differ."""
    from sagemaker_local.jobs.failure import JobFailure
    from sagemaker_local.jobs.images import interpreter_for

    try:
        chosen = interpreter_for(image, interpreters(settings))
    except JobFailure as failure:
        return {"image": image, "python": "none", "differs": str(failure)}
    return {"image": image, "python": str(chosen.python), "differs": " ".join(chosen.warnings)}


def image_environments() -> list[dict[str, str | None]]:
    """The images of which an environment can be built, and where it is if it is built."""
    from sagemaker_local.jobs.image_environments import known_images

    return [
        {"image": one.name, "python": one.python, "environment": str(one.folder) if one.interpreter else None}
        for one in known_images().values()
    ]


def build_image(image: str, python: Path | None) -> Path:
    """Build the environment of an image, telling what is done; its Python.

    Raises:
        GatehouseError: there is no such image, or it could not be built.
    """
    from sagemaker_local.jobs.image_environments import CannotBuild, build, known_images

    known = known_images()
    if image not in known:
        raise GatehouseError(
            f"no environment of {image} can be built", remedy=f"There are {', '.join(known)}"
        )
    try:
        return build(known[image], notice, python)
    except CannotBuild as problem:
        raise GatehouseError(str(problem), where=image) from problem


def install_is_allowed() -> bool:
    """Whether jobs have the requirements.txt of their code installed."""
    from sagemaker_local.jobs import image_environments

    return image_environments.install_is_allowed()


def allow_install(allowed: bool) -> None:
    """Let jobs have it installed, or not."""
    from sagemaker_local.jobs import image_environments

    image_environments.allow_install(allowed)


def owners_alive(settings: Settings) -> list[str]:
    """The processes that work on the home folder now, by the names under which they registered."""
    home = Home(home_folder(settings))
    with _home_errors(home.root):
        if not home.owners.is_dir():
            return []
        names = [path.name for path in home.owners.iterdir()]
        return [name for name in names if is_alive(home, name)]


def opt_ml_of_jobs() -> OptMl:
    """How a job that is started from here is given its `/opt/ml`.

    Raises:
        GatehouseError: the environment asks for a way that does not exist, or does not work here.
    """
    from sagemaker_local.jobs import opt_ml

    try:
        found = opt_ml.detect()
    except ValueError as error:
        raise GatehouseError(str(error), remedy=f"Unset {opt_ml.VARIABLE}, or name one of those") from error
    if found.problem:
        raise GatehouseError(
            f"{opt_ml.VARIABLE}={found.mode}, which does not work here: {found.problem}",
            remedy=f"Unset {opt_ml.VARIABLE}, and jobs get /opt/ml in the best way that works",
        )
    return found


def remove_home(settings: Settings) -> Path:
    """Delete everything the local SageMaker keeps; returns the folder.

    Raises:
        GatehouseError: something still works on it, or the folder is not one of ours.
    """
    home = home_folder(settings)
    alive = owners_alive(settings)
    with _home_errors(home):
        looks_like_one = Home(home).database.is_file()
    if alive:
        raise GatehouseError(
            f"process {alive[0].partition('-')[0]} works on it",
            where=str(home),
            remedy="End it first: `gatehouse local down`, or Ctrl-C where `gatehouse run` runs",
        )
    if home.exists() and not looks_like_one:
        raise GatehouseError(
            "this folder does not look like the local SageMaker's: it has no state.db",
            where=str(home),
            remedy="Check GATEHOUSE_HOME; delete the folder by hand if you are sure",
        )
    with _home_errors(home):
        if home.exists():
            shutil.rmtree(home)
    return home


def _require_port(found: Advertisement, port: int) -> None:
    """Refuse an endpoint that is up already at another port than the one asked for; 0 asks for none."""
    if port not in (0, urlsplit(found.url).port):
        raise _second(found)


def _second(found: Advertisement) -> GatehouseError:
    return GatehouseError(
        f"the local SageMaker is up already, at {found.url} (process {found.pid})",
        remedy="Use it, or end it first with `gatehouse local down`",
    )


def _command(home: Path, port: int, settings: Settings, wanted: dict[str, str]) -> list[str]:
    command = [sys.executable, "-m", "sagemaker_local", "--home", str(home), "--port", str(port)]
    command += ["--page", _PAGE]
    for image, interpreter in interpreters(settings).items():
        command += ["--interpreter", f"{image}={interpreter}"]
    for template in wanted.values():
        command += ["--template", template]
    return command


def _templates(settings: Settings) -> dict[str, str]:
    # Here: only an endpoint that is kept up needs the templates.
    from pipelines.commands.local_automation import automation_templates, pipeline_templates

    return {**pipeline_templates(settings), **automation_templates(settings)}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it wrote nothing"
