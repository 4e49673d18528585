"""The rows of an execution: the query of the project's settings, run by Athena, its result in S3 as Parquet.

The pipeline calls this first, by a Lambda step, so that an execution of a schedule or of a retraining reads
what the tables hold by then. UNLOAD writes the files, and only into a place where nothing lies. What an
earlier try of the same step began is taken up by its token: a query that runs or has succeeded is not run,
and paid for, twice. One that failed may have left files behind, so the next has a place and token of its own.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import chain, count, repeat
from typing import Any

from botocore.exceptions import ClientError

from automation.context import Context, read_context
from automation.handlers import logged
from aws_formats.errors import GatehouseError

_NOT_RUN = "none"
_PAUSES = (0.2, 0.5, 1, 2)
_PAUSE = 5
"""Seconds between two looks at a query: those of the first ones, and of all others."""

_RESERVE_MS = 30_000
"""Of the function's time, for stopping a query that takes too long."""

_LISTS_ROWS = "ListObjectsV2"

_DENIED = re.compile(r"(?i)access ?denied|not authorized|insufficient .*permission")
"""Of a refusal or of a query's reason: a right is missing."""

_AT_ONCE = timedelta(seconds=2)
"""A query that was submitted longer before the answer to its start than this, an earlier try has started."""


@logged
def handle(event: dict[str, Any], lambda_context: Any) -> dict[str, str]:
    """For a Lambda step with Sql, Database, Workgroup, Catalog (or empty), OutputUri and InputDataUri.

    Args:
        lambda_context: of the call; its remaining time bounds the query's.

    Returns:
        DataUri (where the rows lie: InputDataUri if it is not empty, and then nothing is run), the query's
        QueryExecutionId, BytesScanned as text, and a Sentence.

    Raises:
        GatehouseError: the query failed, takes too long or gave no rows, or Athena refuses it.
    """
    if event["InputDataUri"]:
        return {
            "DataUri": event["InputDataUri"],
            "QueryExecutionId": _NOT_RUN,
            "BytesScanned": "0",
            "Sentence": f"the query is not run: this execution was given {event['InputDataUri']}",
        }
    context = read_context()
    try:
        place, ended = _run(context, event, lambda_context)
    except ClientError as error:
        raise _refused(context, event, error) from error
    scanned = ended.get("Statistics", {}).get("DataScannedInBytes", 0)
    return {
        "DataUri": place,
        "QueryExecutionId": ended["QueryExecutionId"],
        "BytesScanned": str(scanned),
        "Sentence": f"query {ended['QueryExecutionId']} scanned {scanned / 1e6:,.1f} MB and wrote {place}",
    }


def _refused(context: Context, event: dict[str, Any], error: ClientError) -> GatehouseError:
    """What a service answered to a call, and which service it was."""
    code, message = (error.response["Error"].get(member, "") for member in ("Code", "Message"))
    where = f"Athena, database {event['Database']}, workgroup {event['Workgroup']}"
    if error.operation_name == _LISTS_ROWS:
        where = f"S3, {event['OutputUri']}"
    remedy = _remedy_of_rights(context, f"{code} {message}")
    if context.target == "local" and error.operation_name != _LISTS_ROWS:
        remedy = "This machine has no Athena; give InputDataUri"
    return GatehouseError(f"{error.operation_name} is refused: {message or code}", where, remedy)


def _remedy_of_rights(context: Context, reason: str) -> str | None:
    """What to do where the function may not what it has to; None for another reason."""
    if not _DENIED.search(reason):
        return None
    renew = context.command("infra", "deploy", context.project, "--only", "pipeline")
    return (
        f"Its role is gatehouse-{context.project}-query: `{renew}` gives it what the settings name by now,"
        " and -p QueryPolicyArns=ARN what else the query needs"
    )


def _run(context: Context, event: dict[str, Any], lambda_context: Any) -> tuple[str, dict[str, Any]]:
    """Where the rows lie, and the query as Athena describes it at its end."""
    athena = context.clients.client("athena")
    for attempt in count(1):
        place = f"{event['OutputUri']}/{attempt}/rows/"
        started = athena.start_query_execution(
            QueryString=unload(event["Sql"], place),
            # What a text is made of must not change under one token, or Athena refuses it.
            ClientRequestToken=hashlib.sha256(f"{place}\n{event['Sql']}".encode()).hexdigest(),
            QueryExecutionContext={
                "Database": event["Database"],
                **({"Catalog": event["Catalog"]} if event["Catalog"] else {}),
            },
            WorkGroup=event["Workgroup"],
            # The list of what was written; where the workgroup rules, it goes to the workgroup's place.
            ResultConfiguration={"OutputLocation": f"{event['OutputUri']}/{attempt}/athena/"},
        )
        # By Athena's own clock: this function's may differ from it.
        answered = parsedate_to_datetime(started["ResponseMetadata"]["HTTPHeaders"]["date"])
        ended = _wait(context, athena, started["QueryExecutionId"], lambda_context)
        failure = _failure(context, ended, place)
        if failure is None:
            return place, ended
        if ended["Status"].get("SubmissionDateTime", answered) >= answered - _AT_ONCE:
            raise failure
    raise AssertionError("the attempts have no end")


def unload(sql: str, place: str) -> str:
    """The statement; the query has lines of its own, since it may end with a comment."""
    return f"UNLOAD (\n{sql}\n) TO '{place}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def _wait(context: Context, athena: Any, query: str, lambda_context: Any) -> dict[str, Any]:
    """The query, when it has ended. One that takes longer than a Lambda step may is stopped."""
    for pause in chain(_PAUSES, repeat(_PAUSE)):
        found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return found
        if lambda_context.get_remaining_time_in_millis() < _RESERVE_MS + pause * 1000:
            athena.stop_query_execution(QueryExecutionId=query)
            raise GatehouseError(
                f"the query was stopped, because a Lambda step may take no more than 10 minutes ({query})",
                remedy="Let it read less, or have its result written into a table beforehand and query that;"
                f" `{context.command('retry', context.project)}` runs it anew",
            )
        time.sleep(pause)
    raise AssertionError("the pauses have no end")


def _failure(context: Context, query: dict[str, Any], place: str) -> GatehouseError | None:
    """Why a query that has ended is of no use; None if its rows lie in the place."""
    status = query["Status"]
    if status["State"] == "SUCCEEDED":
        # Of no row it writes no file, and a job cannot read a prefix without objects.
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        s3 = context.clients.client("s3")
        if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"):
            return None
        remedy = "Look at its conditions, and at the tables"
        return GatehouseError(f"the query gave no rows ({query['QueryExecutionId']})", remedy=remedy)
    error = status.get("AthenaError", {})
    reason = status.get("StateChangeReason") or error.get("ErrorMessage") or "Athena gives no reason"
    how = "was cancelled" if status["State"] == "CANCELLED" else "failed"
    again = f"Athena says that it may succeed: `{context.command('retry', context.project)}`"
    return GatehouseError(
        f"the query {how} ({query['QueryExecutionId']}): {reason}",
        remedy=again if error.get("Retryable") else _remedy_of_rights(context, reason),
    )
