"""``python -m sagemaker_local.images``: environments for the images that jobs name.

What stands for an image, and building it, is in ``jobs.image_environments``; this is its command line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sagemaker_local.jobs.image_environments import (
    CannotBuild,
    allow_install,
    build,
    install_is_allowed,
    known_images,
)


def main() -> int:
    """Returns the exit status: 0 when it is done, 1 when an environment could not be built."""
    parser = argparse.ArgumentParser(prog="python -m sagemaker_local.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("list", help="the images of which an environment can be built (the default)")
    building = commands.add_parser("build", help="build the environment of an image, by pip")
    building.add_argument("image", choices=sorted(known_images()), metavar="IMAGE")
    building.add_argument("--python", type=Path, metavar="PATH", help="another Python than the image's")
    commands.add_parser("allow-install", help="let jobs have the requirements.txt of their code installed")
    commands.add_parser("forbid-install", help="the opposite, which is the default")
    given = parser.parse_args()
    if given.command == "build":
        try:
            print(build(known_images()[given.image], lambda line: print(line, flush=True), given.python))
        except CannotBuild as problem:
            print(f"{problem}.", file=sys.stderr)
            return 1
    elif given.command in ("allow-install", "forbid-install"):
        allow_install(given.command == "allow-install")
    else:
        for image in known_images().values():
            print(f"{image.name:32} Python {image.python:6} {image.interpreter or 'not built'}")
        print(f"requirements.txt of jobs: {'installed' if install_is_allowed() else 'not installed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
