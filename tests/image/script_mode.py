"""Starts a training job in script mode, as sagemaker-xgboost:3.2-0 does; runs with the image's Python.

The image's own module is not on the package index; its few lines for a job with a script of its own call the
toolkit as this does.
"""

from __future__ import annotations

import collections
import collections.abc

# The toolkit was written for Python 3.6; the image's builders make the same change in its text.
collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]

from sagemaker_containers.beta.framework import modules, trainer, training_env  # noqa: E402


def main() -> None:
    job = training_env()
    modules.run_module(
        job.module_dir, job.to_cmd_args(), job.to_env_vars(), job.module_name, capture_error=False
    )


if __name__ == "__main__":
    trainer.train()
