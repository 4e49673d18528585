"""What the server and the launcher send each other, over two pipes.

standard input   what to run, then lines `stop SECONDS` at any time; its end means that the server is
                 gone, and then the job ends too
standard output  a line for each thing that happens, words separated by tabs: `started`,
                 `ended CODE LOG_PROBLEM`, `refused KIND REASON`; anything else is a traceback of the
                 launcher's own
"""

from __future__ import annotations

import marshal
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Refused(Exception):
    """The job cannot be started; `kind` is the class of the job's failure reason."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def write_request(**request: Any) -> bytes:
    """What the server writes first; launcher and server are the same Python, so marshal will do.

    Args:
        server: the server's process id.
        mode, own_pids: how to give /opt/ml (see `OptMl`).
        host, hosts: the instance's name, and the file to be its /etc/hosts.
        ml: the folder to be /opt/ml.
        shared: whether files of the folder `shared` beside it are to appear there, too.
        log: the file for the output.
        argv, environment, folder: the command, everything in its environment, its working directory.
    """
    content = marshal.dumps(request)
    return struct.pack("<Q", len(content)) + content


def read_request() -> dict[str, Any]:
    """What the server wants run. Not a byte more is read: what follows it are the `stop` lines."""
    (length,) = struct.unpack("<Q", _read(8))
    request: dict[str, Any] = marshal.loads(_read(length))
    return request


def _read(length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = os.read(0, length - len(data))
        if not more:
            raise SystemExit(0)  # the server died before it had sent the request
        data += more
    return data


def send(*words: object) -> None:
    """Write one line to the server, if it is still there."""
    line = "\t".join(str(word).replace("\t", " ").replace("\n", " ") for word in words)
    try:  # noqa: SIM105 - contextlib would add to the time that every job takes to start
        os.write(1, f"{line}\n".encode(errors="backslashreplace"))
    except BrokenPipeError:
        pass
