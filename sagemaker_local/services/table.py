"""Every operation that the endpoint carries out, in one table."""

from __future__ import annotations

from sagemaker_local.context import Handler
from sagemaker_local.services import (
    endpoint_configs,
    endpoints,
    event_rules,
    executions,
    functions,
    identity,
    jobs,
    logs,
    model_cards,
    model_package_groups,
    model_packages,
    models,
    notifications,
    parameters,
    pipelines,
    queues,
    schedules,
    tags,
    transforms,
)


def operations() -> dict[tuple[str, str], Handler]:
    """Every handler, by botocore's name of the service and the operation's name."""
    tables = (
        ("sagemaker", pipelines.OPERATIONS),
        ("sagemaker", executions.OPERATIONS),
        ("sagemaker", jobs.OPERATIONS),
        ("sagemaker", model_package_groups.OPERATIONS),
        ("sagemaker", model_packages.OPERATIONS),
        ("sagemaker", model_cards.OPERATIONS),
        ("sagemaker", models.OPERATIONS),
        ("sagemaker", endpoint_configs.OPERATIONS),
        ("sagemaker", endpoints.OPERATIONS),
        ("sagemaker", transforms.OPERATIONS),
        ("sagemaker", tags.OPERATIONS),
        ("ssm", parameters.OPERATIONS),
        ("events", event_rules.OPERATIONS),
        ("sns", notifications.OPERATIONS),
        ("sqs", queues.OPERATIONS),
        ("lambda", functions.OPERATIONS),
        ("scheduler", schedules.OPERATIONS),
        ("logs", logs.OPERATIONS),
        ("sts", identity.STS_OPERATIONS),
        ("iam", identity.IAM_OPERATIONS),
    )
    return {
        (service, operation): handler for service, table in tables for operation, handler in table.items()
    }
