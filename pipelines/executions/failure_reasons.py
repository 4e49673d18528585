"""The reason of a failure in one line, the same in every list: of an execution, a step, a trial."""

from __future__ import annotations


def in_one_line(reason: str | None) -> str:
    """A failure's reason: its first line. Where it is the end of a job's log, in which the first line says
    nothing of the cause, its last one."""
    lines = (reason or "").strip().splitlines() or [""]
    kind, _, text = lines[0].partition(": ")
    if len(lines) > 1 and (text.startswith(("...", "Traceback (")) or ", killed by SIG" in lines[-1]):
        return f"{kind}: {lines[-1].strip()}"
    return lines[0]
