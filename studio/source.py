"""Which settings and which SageMaker the pages are about."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aws_formats.errors import GatehouseError
from pipelines.settings.environments import all_environments
from pipelines.settings.project import Project
from pipelines.settings.projects_file import Settings, load_settings
from pipelines.settings.target import Target, resolve_target
from registry.environments import Environment
from studio.works import Works


class SettingsError(GatehouseError):
    """The settings file is gone, or something in it is wrong."""

    def __init__(self, found: GatehouseError) -> None:
        super().__init__(found.what, found.where, found.remedy)
        self._found = found

    @property
    def on_lines(self) -> str:
        return self._found.on_lines


@dataclass(frozen=True)
class Source:
    """What every page reads from.

    Attributes:
        file: the settings file; it is read again when it has changed.
        target_name: ``local`` or ``aws``.
        endpoint_url: of the local SageMaker; None in AWS.
        allow_changes: whether approving, deploying and the like is offered at all.
        patience: seconds for which a page waits for what takes long to read; it is shown without what is
            missing then, and asks again.
        works: the deployments that these pages have started.
    """

    file: Path
    target_name: str
    endpoint_url: str | None = None
    allow_changes: bool = True
    patience: float = 0.08
    works: Works = field(default_factory=Works, repr=False, compare=False)
    _loaded: dict[tuple[int, int], Settings] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def settings(self) -> Settings:
        """Raises SettingsError."""
        try:
            stat = self.file.stat()
            key = (stat.st_mtime_ns, stat.st_size)
        except OSError:
            key = (0, 0)
        with self._lock:
            if key not in self._loaded:
                try:
                    settings = load_settings(self.file)
                except GatehouseError as error:
                    raise SettingsError(error) from error
                self._loaded.clear()
                self._loaded[key] = settings
            return self._loaded[key]

    @property
    def projects(self) -> Mapping[str, Project]:
        """By full name, in the settings' order."""
        return self.settings.projects

    def project(self, name: str) -> Project:
        """Raises GatehouseError: there is no such project."""
        return self.settings.project(name)

    def target(self, project: Project) -> Target:
        """Where the project runs. Raises GatehouseError: AWS needs a role, and none is set."""
        target = resolve_target(project, self.target_name)
        return target if self.endpoint_url is None else target.at(self.endpoint_url)

    def environments(self, project: Project) -> tuple[Environment, ...]:
        """The project's environments, in the settings' order."""
        return all_environments(project, self.target(project))
