"""Serves a model the way sagemaker-xgboost:3.2-0 does; runs with the Python that `make test-image` sets up.

    python toolkit.py SOCKET

The image's own module of a few lines is not on the package index. This does what it does with the toolkit
that is: the model's code is installed with pip and imported, then gunicorn serves the toolkit's application,
by one worker, behind a Unix socket, as it is behind nginx in the image.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
import os
import sys
from pathlib import Path
from typing import Any

# The toolkit was written for Python 3.6; the image's builders make the same change in its text.
collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]

from sagemaker_containers.beta.framework import env, modules, transformer, worker  # noqa: E402


def application() -> Any:
    """The WSGI application that gunicorn's worker asks for."""
    serving = env.ServingEnv()
    script = importlib.import_module(serving.module_name)
    functions = {
        name: getattr(script, name)
        for name in ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")
        if hasattr(script, name)
    }
    served = transformer.Transformer(**functions)
    served.initialize()
    return worker.Worker(transform_fn=served.transform, module_name=serving.module_name)


def main(socket: str) -> None:
    serving = env.ServingEnv()
    modules.import_module(serving.module_dir, serving.module_name)
    here = str(Path(__file__).parent)
    path = ",".join([*sys.path, env.code_dir, here])
    options = ["--timeout", "60", "-k", "gevent", "--workers", "1", "--pythonpath", path]
    command = ["-m", "gunicorn", *options, "--bind", f"unix:{socket}", "toolkit:application()"]
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main(sys.argv[1])
