"""The one error that a person can cause: what is wrong, where, and what to do about it.

Every module raises it for wrong settings, missing data, refused requests and the like; the command
line catches it once and prints it as one line, or on a terminal as a line for each thing that is wrong.
Anything else is a fault of the program and keeps its traceback. A gate that stays shut is no error: it is
an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence


class GatehouseError(Exception):
    """What a person has to put right.

    Args:
        what: what is wrong, a phrase without a full stop: ``accuracy_threshold is 1.2``.
        where: the file, key, step or resource it concerns, if there is one.
        remedy: what to do, a sentence without a full stop, if there is something to say.

    ``str()`` gives one line: ``<where>: <what>. <remedy>.``
    """

    def __init__(self, what: str, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        sentences = [place + self.what, *([self.remedy] if self.remedy else [])]
        return " ".join(" ".join(_sentence(text).split()) for text in sentences)

    @property
    def parts(self) -> tuple[GatehouseError, ...]:
        """Each thing that is wrong by itself."""
        return (self,)

    @property
    def on_lines(self) -> str:
        """What ``str()`` says, for a terminal: each of several things that are wrong in a line of its own."""
        return str(self)


class SeveralErrors(GatehouseError):
    """Several things that a person has to put right in one place; ``str()`` numbers them in one line.

    Args:
        where: the place, which is not repeated for each.
    """

    def __init__(self, found: Sequence[GatehouseError], where: str) -> None:
        self._found = tuple(found)
        self._numbered = [
            f"({number}) {each}".replace(f"{where}: ", "") for number, each in enumerate(found, start=1)
        ]
        super().__init__(" ".join(self._numbered), where)

    @property
    def parts(self) -> tuple[GatehouseError, ...]:
        return self._found

    @property
    def on_lines(self) -> str:
        return "\n  ".join([f"{self.where}:", *self._numbered])


def _sentence(text: str) -> str:
    text = text.rstrip()  # what a service says may end with a space or a new line
    return text if text.endswith((".", "?", "!")) else f"{text}."
