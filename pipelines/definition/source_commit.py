"""Which commit the compiled sources come from, for the metadata of each registered model.

It is the last commit that touched what is compiled in, not the newest one: a commit elsewhere in the
repository changes no model, so it must not change the definition either. The repository is found
from the project's own folder, never from the working directory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

UNKNOWN = "unknown"
_OVERRIDES = ("GATEHOUSE_GIT_COMMIT", "CODEBUILD_RESOLVED_SOURCE_VERSION")


def source_commit(folder: Path, sources: Iterable[Path], environ: Mapping[str, str] = os.environ) -> str:
    """The commit of `sources`, files and folders of which those in `folder`'s repository count.

    Args:
        environ: ``GATEHOUSE_GIT_COMMIT`` or ``CODEBUILD_RESOLVED_SOURCE_VERSION`` in it decides alone.

    Returns:
        The full hash, with ``-dirty`` where the files differ from it; ``unknown`` where there is no
        git, no repository or no commit of these files.
    """
    for variable in _OVERRIDES:
        if environ.get(variable):
            return environ[variable]
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return UNKNOWN
    inside = sorted({str(path) for path in sources if path.is_relative_to(Path(top))})
    if not inside:
        return UNKNOWN
    commit = _git(folder, "log", "-1", "--format=%H", "--", *inside)
    if not commit:
        return UNKNOWN
    changed = _git(folder, "status", "--porcelain", "--", *inside)
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, None where it cannot answer: not installed, no repository, no commit."""
    # A hook's GIT_DIR would name another repository than the folder's.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "--no-optional-locks", *arguments],
            env={**environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
