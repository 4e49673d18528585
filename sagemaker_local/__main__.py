"""``python -m sagemaker_local``: an endpoint in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from aws_formats.visible_text import make_log_visible, visible
from sagemaker_local import endpoint
from sagemaker_local.errors import CannotStart
from sagemaker_local.page import Page
from sagemaker_local.stacks import templates


def main() -> int:
    """Returns the exit status: 0 when it was asked to end, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m sagemaker_local", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, metavar="DIR", help="the folder of its state")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="0 (the default) takes a free one")
    parser.add_argument(
        "--interpreter",
        type=_interpreter,
        action="append",
        default=[],
        metavar="IMAGE=PATH",
        help="the Python that runs jobs of an image, by a pattern of its name; may be repeated",
    )
    parser.add_argument(
        "--template",
        type=templates.parse,
        action="append",
        default=[],
        metavar="PATH[?NAME=VALUE&...]",
        help="a CloudFormation template whose rules, functions, topics and queues are made here, with its"
        " parameters, and @region, @code (the folder of its functions' code) and @name; may be repeated",
    )
    parser.add_argument(
        "--page",
        type=Page.parse,
        metavar="/PREFIX=MODULE:FUNCTION",
        help="what makes the page that a browser is shown below this prefix: an ASGI application, from the"
        " endpoint's URL and the folder of its state",
    )
    arguments = parser.parse_args()
    make_log_visible()
    os.umask(0o077)  # of this process and of the jobs that it starts
    try:
        endpoint.serve(
            arguments.home,
            port=arguments.port,
            interpreters=dict(arguments.interpreter),
            templates=arguments.template,
            page=arguments.page,
        )
    except CannotStart as error:
        print(visible(str(error)), file=sys.stderr)
        return 1
    return 0


def _interpreter(text: str) -> tuple[str, str]:
    image, _, path = text.rpartition("=")
    if not image or not path:
        raise argparse.ArgumentTypeError(f"'{text}' is not IMAGE=PATH")
    return image, path


if __name__ == "__main__":
    sys.exit(main())
