"""The first step of a pipeline whose data is an Athena query: its rows become Parquet files in S3.

The query itself is an argument of the step, so a plan shows that it changed. An execution that names its data
by the parameter InputDataUri is given that, and no query is run: so it is on a machine that has no Athena.
"""

from __future__ import annotations

from typing import Any

from pipelines.definition import sagemaker_sdk as sdk
from pipelines.settings.query import Query


def query_step(
    query: Query, sql: str, function_arn: str, output_uri: str, input_data_uri: Any, session: Any
) -> Any:
    """The step; its output ``DataUri`` is where the rows lie.

    Args:
        sql: the query's text.
        output_uri: an S3 prefix without a slash at its end, for the results of all executions.
        input_data_uri: the parameter that replaces the query.
    """
    return sdk.lookup(
        "QueryData",
        function_arn,
        {
            "Sql": sql,
            "Database": query.database,
            "Workgroup": query.workgroup,
            "Catalog": query.catalog or "",
            "OutputUri": sdk.Join(on="/", values=[output_uri, sdk.ExecutionVariables.PIPELINE_EXECUTION_ID]),
            "InputDataUri": input_data_uri,
        },
        ["DataUri", "QueryExecutionId", "BytesScanned", "Sentence"],
        session,
        display_name="Query data",
        description="Runs the project's query by Athena, which writes its rows as Parquet files",
    )
