"""The ``data.query`` table: an Athena query whose rows are the data in AWS.

The pipeline's first step puts the query into UNLOAD (``automation/handlers/query_data.py``), so it has to be
one SELECT. That is checked here, where a person sees it, and so is the case of names: Athena gives columns in
lower case. What the query means, only Athena knows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from aws_formats.errors import GatehouseError
from pipelines.settings.gate import Problem
from pipelines.settings.tables import S3_PREFIX, Listed, Table, Text, text_of

LIMIT = 260_000
"""Bytes of a query. StartQueryExecution takes 262,144, and UNLOAD with its place stands around it."""

_TOKEN = r"""(?xs)
      (?P<nothing> \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<unclosed> /\* | ['"] )
    | (?P<end> ; )
    | (?P<opens> \( ) | (?P<closes> \) )
    | (?P<word> \w+ )
    | (?P<other> . )
    """
"""Compiled where there is a query, which most projects have not."""


def one_select(text: str) -> str:
    """The query without what follows its last word: spaces, a semicolon, comments behind it.

    Raises:
        ValueError: it is not one SELECT that UNLOAD could hold.
    """
    first, depth, end = "", 0, len(text)
    for token in re.finditer(_TOKEN, text):
        kind = token.lastgroup
        if kind == "nothing":
            continue
        if kind == "unclosed":
            raise ValueError(f"in the query a {token.group()} is opened and never closed")
        if kind == "end":
            end = min(end, token.start())
            continue
        if token.start() > end:
            raise ValueError("the query holds several statements; give one SELECT")
        first = first or token.group()
        depth += (kind == "opens") - (kind == "closes")
        if depth < 0:
            raise ValueError("in the query a bracket is closed that none has opened")
    if depth:
        raise ValueError("in the query a bracket is opened and never closed")
    if not first:
        raise ValueError("the query is empty")
    if first.upper() == "UNLOAD":
        raise ValueError("the query begins with UNLOAD, which is put around it; give the SELECT alone")
    if first.upper() not in ("SELECT", "WITH"):
        raise ValueError(f"the query begins with {first}; it has to begin with SELECT or WITH")
    if len(text.encode()) > LIMIT:
        raise ValueError(
            f"the query has {len(text.encode()):,} bytes, of at most {LIMIT:,}; make a view of it"
        )
    return text[:end].strip()


class Query(Table):
    """A query of Athena, and where it runs (docs/aws.md).

    Attributes:
        sql, file: its text, or a file beside the settings that holds it.
        database: in which tables are looked up that the query names without one.
        workgroup: which may bound what a query reads, and is billed for it.
        catalog: of data; without it, the account's own of Glue.
        tables_at: S3 prefixes where the tables' data lie, which the function may then read.
    """

    sql: Annotated[Text, AfterValidator(one_select)] | None = None
    file: Text | None = None
    database: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,255}$")]
    workgroup: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = "primary"
    catalog: Annotated[str, Field(pattern=r"^[a-zA-Z0-9@_/-]{1,256}$")] | None = None
    tables_at: Annotated[tuple[Annotated[str, Field(pattern=S3_PREFIX)], ...], Listed] = ()

    @model_validator(mode="after")
    def _one_text(self) -> Self:
        if (self.sql is None) == (self.file is None):
            raise ValueError("a query needs sql or file, and one of them only")
        return self

    @property
    def in_words(self) -> str:
        """What it is to a reader of messages."""
        return f"an Athena query (database {self.database}, workgroup {self.workgroup})"


def query_text(query: Query, root: Path) -> str:
    """The query's text.

    Args:
        root: where a relative file starts.

    Raises:
        GatehouseError: the file cannot be read, or holds no query that can be used.
    """
    if query.sql is not None:
        return query.sql
    assert query.file is not None
    place = root / query.file
    text = text_of(place, "the query", "Put the query there, or correct file in the table data.query")
    try:
        return one_select(text)
    except ValueError as error:
        raise GatehouseError(str(error), str(place), "Correct the query") from None


def problems_of_names(columns: Mapping[tuple[str, ...], Iterable[str]]) -> Iterator[Problem]:
    """Names with capitals, which no column of a query has; by the paths of the keys that say them."""
    for path, names in columns.items():
        for name in names:
            if name != name.lower():
                what = f"{name!r} has capitals, and Athena gives all columns in lower case"
                remedy = f"Write {name.lower()!r} here and in the query, and in the data of source as well"
                yield Problem(path, what, remedy)
