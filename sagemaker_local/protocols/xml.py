"""XML in and out. What comes in may hold elements and text and nothing else: no DTD, no entities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from sagemaker_local.errors import AwsError

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
"""What every document begins with."""

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

_SPECIAL = re.compile("[&<>\"'\x00-\x1f]")
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


def parse(body: bytes) -> Element:
    """The root element, names without their namespace.

    Raises:
        AwsError: MalformedXML.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, _attributes: builder.start(name.rpartition("}")[2], {})
    parser.EndElementHandler = lambda name: builder.end(name.rpartition("}")[2])
    parser.CharacterDataHandler = builder.data
    # Without a document type there are no entities to expand, neither from outside nor a million-fold.
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise _malformed(str(error)) from error
    return builder.close()


def render(name: str, content: Any, *, namespace: str = NAMESPACE) -> bytes:
    """A document: mappings are elements, sequences repeat their element, None is left out."""
    parts = [DECLARATION]
    _element(parts, name, content, f' xmlns="{namespace}"' if namespace else "")
    return "".join(parts).encode()


def escape(text: str) -> str:
    """Text as XML holds it: a replacement character for each that no document can hold, not even escaped."""
    possible = _IMPOSSIBLE.sub("\ufffd", text)
    return _SPECIAL.sub(lambda match: _NAMES.get(match[0]) or f"&#{ord(match[0])};", possible)


def _element(parts: list[str], name: str, content: Any, attributes: str = "") -> None:
    if content is None:
        return
    if isinstance(content, Sequence) and not isinstance(content, str):
        for item in content:
            _element(parts, name, item)
        return
    parts.append(f"<{name}{attributes}>")
    if isinstance(content, Mapping):
        for child, value in content.items():
            _element(parts, child, value)
    elif isinstance(content, bool):
        parts.append("true" if content else "false")
    else:
        parts.append(escape(str(content)))
    parts.append(f"</{name}>")


def _refuse_document_type(*_declaration: object) -> None:
    raise _malformed("a document type declaration is not allowed")


def _malformed(why: str) -> AwsError:
    return AwsError("MalformedXML", f"The XML you provided was not well-formed: {why}.")
