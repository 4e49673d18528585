"""Which of the three ways gives a job its `/opt/ml` on this machine: each is tried once.

The package ``launcher`` describes them. ``SAGEMAKER_LOCAL_OPT_ML`` forces one of them; a forced
way that does not work fails each job with the reason. :func:`detect` decides for all who ask: jobs, model
servers and `gatehouse doctor`.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "SAGEMAKER_LOCAL_OPT_ML"
MODES = ("namespace", "symlink", "rewrite")
_ROOT = Path(__file__).parents[2]


def launcher_command(module: str) -> list[str]:
    """The launcher as a program of its own, in an interpreter that reads neither environment nor site.

    Imported rather than run as a script, because Python keeps the compiled form of imports only.

    Args:
        module: ``run`` or ``probe``.
    """
    start = (
        f"import sys; sys.path.append({str(_ROOT)!r});"
        f" from sagemaker_local.jobs.launcher import {module}; {module}.main()"
    )
    return [sys.executable, "-I", "-S", "-c", start]


def why_not() -> dict[str, str]:
    """Why ``namespace``, ``pids`` within it, and ``symlink`` do not work here; empty for those that do."""
    answer = subprocess.run(launcher_command("probe"), capture_output=True, check=True, text=True).stdout
    ways = (line.partition("\t") for line in answer.splitlines())
    return {way: problem for way, _, problem in ways}


@functools.cache
def can_share(folder: Path) -> bool:
    """Whether jobs below a folder can be shown files by an overlay, which takes what they write to them.

    Only where the mode is ``namespace``. It takes 40 ms to find out, once for each folder.
    """
    with tempfile.TemporaryDirectory(prefix=".overlay-", dir=folder) as tried:
        answer = subprocess.run([*launcher_command("probe"), tried], capture_output=True, check=True)
    return answer.stdout == b"overlay\t\n"


@dataclass(frozen=True)
class OptMl:
    """How `/opt/ml` is given.

    Attributes:
        mode: one of :data:`MODES`.
        own_pids: a pid namespace goes with it (only where the mode is ``namespace``).
        remark: for the job's log, where the mode is second best; empty otherwise.
        is_forced: the environment asks for this mode.
        problem: why the mode, which the environment forces, does not work here; empty where it does.
    """

    mode: str
    own_pids: bool = False
    remark: str = ""
    is_forced: bool = False
    problem: str = ""


def detect() -> OptMl:
    """The best way that works here, or the one that the environment forces.

    Raises:
        ValueError: the environment names an unknown one.
    """
    forced = os.environ.get(VARIABLE, "")
    if forced and forced not in MODES:
        raise ValueError(f"{VARIABLE}={forced}: expected one of {', '.join(MODES)}.")
    return _detect(forced)


@functools.cache
def _detect(forced: str) -> OptMl:
    problems = why_not()
    own_pids = not problems["pids"]
    if forced:
        uses_pids = forced == "namespace" and own_pids
        return OptMl(forced, uses_pids, _REMARKS[forced], is_forced=True, problem=problems.get(forced, ""))
    if not problems["namespace"]:
        return OptMl("namespace", own_pids)
    missing = f"There are no mount namespaces here ({problems['namespace']})."
    if not problems["symlink"]:
        return OptMl("symlink", False, f"{missing} {_REMARKS['symlink']}")
    return OptMl("rewrite", False, f"{missing} {_REMARKS['rewrite']}")


_REMARKS = {
    "namespace": "",
    "symlink": "/opt/ml is a symbolic link, and jobs take turns.",
    "rewrite": (
        "/opt/ml does not exist: it is replaced by the job's folder in arguments, environment and"
        " configuration files. A program that has /opt/ml in its own text will not find it."
    ),
}


def for_instances(opt_ml: OptMl, count: int) -> OptMl:
    """What serves a job of `count` instances: one symbolic link cannot lead to several folders."""
    if count == 1 or opt_ml.mode == "namespace":
        return opt_ml
    alone = f"The {count} instances cannot reach each other as algo-1, algo-2, ..."
    if opt_ml.mode == "symlink":
        return OptMl("rewrite", False, f"{_REMARKS['rewrite']} {alone}")
    return OptMl("rewrite", False, f"{opt_ml.remark} {alone}")
