"""What SageMaker is told: from a settings file to a pipeline that is planned, upserted, started and watched.

A subpackage imports only from those below it (an import contract in ``pyproject.toml``):

    commands     the ``gatehouse`` command: one module for each subcommand
    upsert       what an upsert would change, and the upsert
    infra        a project's CloudFormation stacks: what a deployment would change, and the deployment
    executions   start an execution, watch it, stop it; what it left behind; schedules
    definition   settings and sources in, the definition document out; ``pipeline`` is the file to read first
    settings     ``projects.toml``, the target (AWS or this machine), the environments that versions serve in
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the packages, the programs of the containers among them: a checkout's, or where
the package is installed."""
