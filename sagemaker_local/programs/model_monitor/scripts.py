"""A person's own scripts before and after the analysis, as Model Monitor calls them.

``record_preprocessor_script`` has a ``preprocess_handler``, which is given a captured request, or a line of a
dataset, and perhaps a logger. It returns the columns of a row by their names; a list of such rows, which may
be empty; or the request itself. ``post_analytics_processor_script`` has a ``postprocess_handler``, which is
called without arguments once the documents are written.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-pre-and-post-processing.html
"""

from __future__ import annotations

import inspect
import logging
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import captures
import datasets
from input_error import InputError


class _Attributes:
    """Members of a JSON object as attributes; those that are not there are None."""

    def __init__(self, document: Mapping[str, Any], members: Mapping[str, str]) -> None:
        self._members = members
        for attribute, member in members.items():
            setattr(self, attribute, document.get(member))

    def as_dict(self) -> dict[str, Any]:
        """The object, as a script may have changed it."""
        return {member: getattr(self, attribute) for attribute, member in self._members.items()}

    def __str__(self) -> str:
        return str(self.as_dict())


_DATA = {
    "encoding": "encoding",
    "data": "data",
    "observedContentType": "observedContentType",
    "mode": "mode",
}
_EVENT = {"event_id": "eventId", "event_time": "inferenceTime", "custom_attribute": "customAttributes"}


class InferenceRecord:
    """A captured request, under the names by which scripts know it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        data, self.event_dict = document["captureData"], document
        self.event_metadata = _Attributes(document["eventMetadata"], _EVENT)
        self.endpoint_input, self.endpoint_output = (
            _Attributes(data[name], _DATA) if data.get(name) else None
            for name in (captures.INPUT, captures.OUTPUT)
        )
        self.batch_transform_output = self.ground_truth = None
        self.event_version = document.get("eventVersion")

    def as_dict(self) -> dict[str, Any]:
        """The line of the capture, as a script may have changed it."""
        parts = {captures.INPUT: self.endpoint_input, captures.OUTPUT: self.endpoint_output}
        changed = {name: part.as_dict() for name, part in parts.items() if part is not None}
        return {**self.event_dict, "captureData": changed}

    def __str__(self) -> str:
        return str(self.as_dict())


def requests(
    path: str,
    documents: Iterable[tuple[Mapping[str, Any], str]],
    rows_of: Callable[[Mapping[str, Any], str], Iterable[datasets.Record]],
) -> Iterator[datasets.Record]:
    """The rows that a script makes of captured requests.

    Args:
        documents: the lines of the captures, and where each comes from.
        rows_of: the rows of a request that the script returns as it is.

    Raises:
        InputError: it cannot be run, it raises, or what it returns are no rows.
    """
    asked = ((InferenceRecord(document), where) for document, where in documents)
    for returned, where in _returned(path, asked):
        if isinstance(returned, InferenceRecord):
            yield from rows_of(returned.as_dict(), where)
        else:
            yield from _rows(returned, where)


def lines(path: str, texts: Iterable[tuple[str, str]]) -> Iterator[datasets.Record]:
    """The same of the lines of a dataset, a header among them."""
    for returned, where in _returned(path, texts):
        yield from _rows(returned, where)


def _returned(path: str, given: Iterable[tuple[Any, str]]) -> Iterator[tuple[Any, str]]:
    handler = _handler(path, "preprocess_handler")
    extra = (_logger(),) if len(inspect.signature(handler).parameters) > 1 else ()
    for one, where in given:
        try:
            returned = handler(one, *extra)
        except Exception as problem:  # whatever a person's script raises
            raise InputError(f"preprocess_handler failed at {where}: {problem!r}") from problem
        yield returned, where


def _rows(returned: Any, where: str) -> Iterator[datasets.Record]:
    for row in returned if isinstance(returned, list) else [returned]:
        yield datasets.flat(row, f"what preprocess_handler made of {where}")


def postprocess(path: str) -> None:
    """Call the script that comes after the analysis.

    Raises:
        InputError: it cannot be run, or it raises.
    """
    handler = _handler(path, "postprocess_handler")
    try:
        handler()
    except Exception as problem:  # whatever a person's script raises
        raise InputError(f"postprocess_handler failed: {problem!r}") from problem


def _handler(path: str, name: str) -> Callable[..., Any]:
    try:
        found = runpy.run_path(path).get(name)
    except Exception as problem:  # whatever a person's script raises
        raise InputError(f"{path} cannot be run: {problem!r}") from problem
    if not callable(found):
        raise InputError(f"{path} has no function {name}")
    handler: Callable[..., Any] = found
    return handler


def _logger() -> logging.Logger:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    return logging.getLogger("preprocess_handler")
