"""Shows an execution while it runs: a live table on a terminal, a line for each change elsewhere.

Both show snapshots and say the same of a step: its display name, its status, how long it has taken,
what it produced or the newest line of its log, and where the whole log is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from aws_formats.visible_text import visible
from pipelines.commands.output import duration, is_redrawable, notice
from pipelines.executions.failure_reasons import in_one_line
from pipelines.executions.job_records import StepJob
from pipelines.executions.trials import Search, Trial, best_of, result_in_words, values_in_words
from pipelines.executions.watching import NOT_STARTED, UNDER_WAY, Snapshot, Step

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text


class Screen(Protocol):
    """What shows the snapshots of an execution, one after the other; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None: ...


def open_screen(project: str, title: str) -> Screen:
    """A live table where standard error is a terminal that can be redrawn, lines anywhere else.

    Args:
        project: the project's full name, for the commands that are mentioned.
        title: a line to start with.
    """
    return LiveScreen(project, title) if is_redrawable(sys.stderr) else LineScreen(project, title)


def log_command(project: str, step: str) -> str:
    return f"gatehouse logs {project} --step {step}"


def log_location(project: str, step: str, job: StepJob) -> str:
    """Where a job's log is: the command that prints it, and its group and stream prefix in CloudWatch."""
    return f"{log_command(project, step)}  (CloudWatch {job.log_group}, {job.stream_prefix})"


def state(step: Step) -> str:
    """The step's status in words: a cache hit is named as such."""
    if step.status == NOT_STARTED:
        return "waiting"
    if step.cached:
        return "from the cache"
    if step.taken_from:
        return "from an earlier execution"
    return step.status.lower()


def details(step: Step) -> str:
    """Why the step failed, what it produced, or the newest line of its log, in one line."""
    if step.status in ("Failed", "Stopped"):
        return in_one_line(step.failure_reason)
    if step.status == "Starting" and step.failure_reason:
        return f"will be tried again after: {in_one_line(step.failure_reason)}"
    return step.produced or step.latest or ""


def trial_in_words(trial: Trial, search: Search, *, is_best: bool = False) -> str:
    """``trial 3 of 6, the best so far: logloss 0.0812 with max_depth 4, eta 0.1235``, in one line."""
    of = (f" of {search.jobs}" if search.jobs else "") + (", the best so far" if is_best else "")
    said = f"trial {trial.number}{of}: {result_in_words(trial, search)} with {values_in_words(trial)}"
    reason = in_one_line(trial.failure_reason)
    return f"{said}: {reason}" if trial.status == "Failed" and reason else said


class LineScreen:
    """A line for each change of a step's status, and one a minute for a long step: for CI logs and pipes."""

    SILENCE = 60.0
    """Seconds after which a running step is mentioned again: CI systems end jobs that say nothing."""

    def __init__(self, project: str, title: str) -> None:
        self._project = project
        self._statuses: dict[str, str] = {}
        self._said: dict[str, float] = {}
        self._logs_named: set[str] = set()
        self._trials_said: set[str] = set()
        notice(title)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, snapshot: Snapshot) -> None:
        for step in snapshot.steps:
            if step.status == NOT_STARTED:
                continue
            if step.status not in UNDER_WAY:
                self._say_trials(step)
            if step.status == self._statuses.get(step.name):
                self._mention_again(step)
            else:
                self._statuses[step.name] = step.status
                took = "" if step.status in UNDER_WAY or step.reused else f" in {duration(step.seconds)}"
                self._say(step, state(step) + took)
            if step.status in UNDER_WAY:
                self._say_trials(step)
            if step.job is not None and not step.reused and step.job.name not in self._logs_named:
                self._logs_named.add(step.job.name)
                notice(f"    log: {log_location(self._project, step.name, step.job)}")

    def _say_trials(self, step: Step) -> None:
        """Each trial once, when it has ended; those of a step that was not run are told by its result."""
        if step.search is None or step.reused:
            return
        for place, trial in enumerate(step.trials):
            if trial.has_ended and trial.arn not in self._trials_said:
                self._trials_said.add(trial.arn)
                best = best_of([*step.trials[:place], trial], step.search)
                notice(f"    {trial_in_words(trial, step.search, is_best=best is trial)}")

    def _mention_again(self, step: Step) -> None:
        if step.status in UNDER_WAY and time.monotonic() - self._said[step.name] > self.SILENCE:
            self._say(step, f"{state(step)} for {duration(step.seconds)}")

    def _say(self, step: Step, how: str) -> None:
        said = details(step)
        self._said[step.name] = time.monotonic()
        notice(f"  {step.display_name}: {how}{': ' + said if said else ''}")


_TRIALS = 6
"""Of a tuning step's trials, how many of the newest are shown; the best one is shown besides."""

_TRIAL_MARKS = {"Completed": ("✓", "green"), "Failed": ("✗", "red"), "Stopped": ("■", "yellow")}
_NARROW = 72
"""Columns of a terminal below which the rows of the table would be cut into pieces."""


class LiveScreen:
    """A table that is redrawn in context; to rich it is what is drawn."""

    def __init__(self, project: str, title: str) -> None:
        from rich.console import Console
        from rich.spinner import Spinner

        self._project = project
        self._title = title
        self._spinner = Spinner("dots", style="blue")  # one for all rows: it keeps its own time
        self._console = Console(stderr=True, highlight=False)
        self._snapshot: Snapshot | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(console=self._console, get_renderable=lambda: self, refresh_per_second=5)
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        steps = self._snapshot.steps if self._snapshot else ()
        is_narrow = options.max_width < _NARROW
        logs = f"Logs: gatehouse logs {self._project} --step STEP"
        for step in steps:
            if step.job is not None and step.status in UNDER_WAY:
                command = log_command(self._project, step.name)
                logs = f"Log: {command if is_narrow else log_location(self._project, step.name, step.job)}"
        yield Text(visible(self._title), "bold")
        yield Text()
        yield self._lines(steps) if is_narrow else self._table(steps)
        for step in steps:
            if step.search is not None and step.status in UNDER_WAY:
                yield from self._trials(step.trials, step.search)
        yield Text()
        yield Text(visible(logs), "dim")

    def _table(self, steps: Sequence[Step]) -> Table:
        """A row for each step."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for overflow in ("ignore", "fold", "ignore", "ignore", "fold"):
            grid.add_column(overflow=overflow, no_wrap=overflow == "ignore")
        grid.columns[3].justify = "right"
        for step in steps:
            took = "" if step.reused else duration(step.seconds)
            grid.add_row(*self._named(step), self._word(step), Text(took), _said(step))
        return grid

    def _trials(self, trials: Sequence[Trial], search: Search) -> Iterator[Text]:
        """The newest of them, and the best, each in one line that a narrow terminal cuts off."""
        from rich.text import Text

        best = best_of(trials, search)
        shown = [trial for trial in trials if trial is best or trial.number > len(trials) - _TRIALS]
        if shown:
            yield Text()
        for trial in shown:
            mark, style = ("★", "green") if trial is best else _TRIAL_MARKS.get(trial.status, ("·", ""))
            line = Text.assemble((f"  {mark} ", style), visible(trial_in_words(trial, search)))
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line

    def _lines(self, steps: Sequence[Step]) -> Table:
        """The same below each other, for a narrow terminal; what a step produced once all have ended."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for step in steps:
            grid.add_row(*self._named(step))
            if step.status == NOT_STARTED:
                continue
            took = "" if step.reused else f" {duration(step.seconds)}"
            grid.add_row("", Text.assemble(self._word(step), took))
            said = _said(step)
            if said and (self._ended or step.status != "Succeeded"):
                said.no_wrap, said.overflow = True, "ellipsis"
                grid.add_row("", said)
        return grid

    @property
    def _ended(self) -> bool:
        return self._snapshot is not None and self._snapshot.ended

    def _named(self, step: Step) -> tuple[RenderableType, Text]:
        from rich.text import Text

        name = Text(visible(step.display_name), "dim" if step.status == NOT_STARTED else "bold")
        return self._spinner if step.status in UNDER_WAY else Text(*_mark(step)), name

    def _word(self, step: Step) -> Text:
        from rich.text import Text

        return Text("not run" if step.status == NOT_STARTED and self._ended else state(step), _mark(step)[1])


def _said(step: Step) -> Text:
    from rich.text import Text

    return Text(visible(details(step)), "red" if step.status == "Failed" else "")


def _mark(step: Step) -> tuple[str, str]:
    if step.status == NOT_STARTED:
        return "·", "dim"
    if step.reused:
        return "=", "cyan"
    return {
        "Succeeded": ("✓", "green"),
        "Failed": ("✗", "red"),
        "Stopped": ("■", "yellow"),
        "Stopping": ("■", "yellow"),
    }.get(step.status, ("…", "blue"))
