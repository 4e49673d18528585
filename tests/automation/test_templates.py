"""The templates: valid, encrypted, over TLS only, and with no permission wider than a named few."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest
from policies import (
    BUCKET,
    EXECUTION_ROLE,
    KEY,
    PARAMETERS,
    PROJECT,
    allows,
    listed,
    of_type,
    policies_in,
    resources,
    statements,
)

from automation.lease import PATIENCE
from pipelines.infra.stacks import KINDS, Kind, template_path

EVERYTHING = {
    ("foundation", "ExecutionRole", "ImageToken"),  # ECR gives its token for all repositories at once
    ("foundation", "ExecutionRole", "Metrics"),  # CloudWatch knows no resources; the namespace limits it
    ("foundation", "ExecutionRole", "NetworkInterfaces"),  # EC2 cannot limit them beforehand; in a VPC only
    ("pipeline", "MonitoringRole", "OwnMetrics"),  # as above
    ("pipeline", "MonitoringRole", "Requests"),  # CloudWatch knows no resources; it reads numbers of requests
}
"""(template, role, statement) that may name all resources."""

OF_NO_PROJECT = {
    "arn:aws:ecr:eu-west-1:*:repository/sagemaker-xgboost",  # AWS's own account of the region
    "arn:aws:logs:eu-west-1:000000000000:log-group:/aws/sagemaker/*",
    "arn:aws:s3:::raw-data/*",
    "arn:aws:glue:eu-west-1:000000000000:table/bank/*",  # the tables of the query's database
    "arn:aws:s3:::lake/payments/*",
}
"""Patterns of resources that the project's name does not limit."""

LIMITED_BY = {
    "events:PutEvents": {"StringEquals": {"events:source": "gatehouse"}},
    "iam:PassRole": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    "kms:CreateGrant": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
}

NAMESPACES = {
    "ExecutionRole": {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
    "MonitoringRole": {"StringEquals": {"cloudwatch:namespace": "Gatehouse/Monitoring"}},
}
"""Whose metrics a role may write."""

CONNECTION = "arn:aws:codeconnections:eu-west-1:000000000000:connection/0a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"
TUNING_JOBS = "0a1b2c3d"  # what the project's tuning jobs are named by
EVERY_OPTION = {
    "CreateKey": "true",
    "InVpc": "true",
    "TuningJobs": TUNING_JOBS,
    "DataBucket": "raw-data",
    "SharedLogGroups": "create",
    "ConnectionArn": CONNECTION,
    "AlarmArns": "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:errors",
    "CaptureArns": f"arn:aws:s3:::artifacts/{PROJECT}/capture/{PROJECT}-prod/*",
    "MlflowAppArn": "arn:aws:sagemaker:eu-west-1:000000000000:mlflow-app/app-ABC123",
    "MlflowTrackingServerArn": "arn:aws:sagemaker:eu-west-1:000000000000:mlflow-tracking-server/team",
}

EVERY_OPTIONS: dict[Kind, dict[str, str]] = {
    "foundation": EVERY_OPTION,
    "pipeline": {
        "KmsKeyArn": KEY,
        "AssumedRoleArns": "arn:aws:iam::444455556666:role/there",
        "CaptureBucketArns": "arn:aws:s3:::captures",
        "QueryWorkgroup": "ml",
        "QueryDatabase": "bank",
        "QueryCatalog": "lake",
        "QueryDataArns": "arn:aws:s3:::lake,arn:aws:s3:::lake/payments/*",
        "QueryPolicyArns": "arn:aws:iam::000000000000:policy/lake",
    },
    "ci": {"ConnectionArn": CONNECTION},
    "automation": {
        "KmsKeyArn": KEY,
        "ModelRoleArns": "arn:aws:iam::000000000000:role/models",
        "AssumedRoleArns": "arn:aws:iam::444455556666:role/there",
        "Retrains": "true",
    },
}


def whole(kind: Kind) -> dict[str, dict[str, object]]:
    """The template's resources with every option switched on."""
    return resources(kind, **EVERY_OPTIONS[kind])


def test_cfn_lint_finds_nothing() -> None:
    files = [str(template_path(kind)) for kind in KINDS]
    lint = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *files], capture_output=True, text=True, timeout=120
    )
    assert (lint.returncode, lint.stdout) == (0, "")


@pytest.mark.parametrize("kind", KINDS)
def test_no_role_may_do_more_than_it_names(kind: Kind) -> None:
    for role, statement in policies_in(whole(kind)):
        if statement["Effect"] == "Deny":
            continue
        assert not [action for action in listed(statement["Action"]) if "*" in action], statement["Sid"]
        everything = "*" in listed(statement["Resource"])
        assert everything == ((kind, role, statement["Sid"]) in EVERYTHING), statement["Sid"]
        for pattern in set(listed(statement["Resource"])) - {"*"} - OF_NO_PROJECT:
            before, star, _ = pattern.partition("*")
            assert not star or re.search(rf"[:/-]({PROJECT}|{TUNING_JOBS})[-/]", before), (
                f"{statement['Sid']}: {pattern}"
            )
        for action in listed(statement["Action"]):
            if action in LIMITED_BY:
                assert statement["Condition"] == LIMITED_BY[action], statement["Sid"]
            if action == "cloudwatch:PutMetricData":
                assert statement["Condition"] == NAMESPACES[role], role


TRUSTED = {
    "CiRole": {"codebuild.amazonaws.com"},
    "ExecutionRole": {"sagemaker.amazonaws.com"},
    "HandlerRole": {"lambda.amazonaws.com"},
    "LookupRole": {"lambda.amazonaws.com"},
    "MonitoringRole": {"lambda.amazonaws.com"},
    "QueryRole": {"lambda.amazonaws.com"},
    "PlanRole": {"codebuild.amazonaws.com"},
    # The SageMaker SDK's put_triggers asks for both.
    "SchedulerRole": {"scheduler.amazonaws.com", "sagemaker.amazonaws.com"},
}
"""Who may be each role."""


def test_a_service_assumes_a_role_for_this_account_only() -> None:
    roles = {name: role for kind in KINDS for name, role in of_type(whole(kind), "AWS::IAM::Role").items()}
    assert roles.keys() == TRUSTED.keys()
    for name, role in roles.items():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        assert set(listed(statement["Principal"]["Service"])) == TRUSTED[name]
        if TRUSTED[name] != {"lambda.amazonaws.com"}:  # Lambda names no account when it assumes a role
            assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "000000000000"


def test_services_put_only_what_this_stack_sends_into_topic_and_queue() -> None:
    found = whole("automation")
    policies = {**of_type(found, "AWS::SNS::TopicPolicy"), **of_type(found, "AWS::SQS::QueuePolicy")}
    allowed = {
        name: statement
        for name, policy in policies.items()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    }
    services = {name: set(listed(one["Principal"]["Service"])) for name, one in allowed.items()}
    assert services == {
        "TopicPolicy": {"cloudwatch.amazonaws.com"},
        "DeadLettersPolicy": {"events.amazonaws.com"},
    }
    assert {name: one["Action"] for name, one in allowed.items()} == {
        "TopicPolicy": "sns:Publish",
        "DeadLettersPolicy": "sqs:SendMessage",
    }
    for statement in allowed.values():
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "000000000000"}
    senders = {name: one["Condition"]["ArnEquals"]["aws:SourceArn"] for name, one in allowed.items()}
    with_dead_letters = {
        name
        for name, rule in of_type(found, "AWS::Events::Rule").items()
        if any("DeadLetterConfig" in target for target in rule["Targets"])
    }
    assert {arn.rpartition(":")[2] for arn in senders["DeadLettersPolicy"]} == with_dead_letters
    assert senders["TopicPolicy"].endswith(":DeadLettersAlarm")


@pytest.mark.parametrize("options", [{}, EVERY_OPTION], ids=["plain", "with-key"])
def test_the_bucket_is_encrypted_versioned_and_closed(options: dict[str, str]) -> None:
    found = resources("foundation", **options)
    bucket = of_type(found, "AWS::S3::Bucket")["ArtifactBucket"]
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    algorithm = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
    assert algorithm == ("aws:kms" if options else "AES256")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    if options:
        assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {one["Status"] for one in rules} == {"Enabled"}
    assert [one["NoncurrentVersionExpiration"] for one in rules if "NoncurrentVersionExpiration" in one]
    assert [one["AbortIncompleteMultipartUpload"] for one in rules if "AbortIncompleteMultipartUpload" in one]
    cheaper = [one for one in rules if "Transitions" in one]
    assert {one["Prefix"] for one in cheaper} == {f"{PROJECT}/executions/", f"{PROJECT}/queries/"}
    assert not [one for one in rules if "ExpirationInDays" in one], "no model is ever deleted"
    assert bucket["LoggingConfiguration"] == {
        "DestinationBucketName": "AccessLogs",
        "LogFilePrefix": f"{BUCKET}/",
    }
    for name in ("ArtifactBucket", "AccessLogs", *(["Key"] if options else [])):
        assert found[name]["DeletionPolicy"] == "Retain", "models outlive the stack"
        assert found[name]["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_of_access_logs_is_closed_takes_this_buckets_alone_and_forgets() -> None:
    found = resources("foundation", LogRetentionDays="30")
    logs = of_type(found, "AWS::S3::Bucket")["AccessLogs"]
    artifacts = of_type(found, "AWS::S3::Bucket")["ArtifactBucket"]
    assert logs["PublicAccessBlockConfiguration"] == artifacts["PublicAccessBlockConfiguration"]
    assert logs["OwnershipControls"] == artifacts["OwnershipControls"]
    [rule] = logs["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}, "all that S3 delivers logs to"
    assert [one["ExpirationInDays"] for one in logs["LifecycleConfiguration"]["Rules"]] == ["30"]
    policy = found["AccessLogsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    [delivery] = [one for one in policy if one["Effect"] == "Allow"]
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert (delivery["Action"], delivery["Resource"]) == (
        "s3:PutObject",
        f"arn:aws:s3:::access-logs/{BUCKET}/*",
    )
    assert delivery["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "000000000000"},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
    }


def test_access_logs_go_to_a_bucket_that_is_given_and_nowhere_for_a_given_artifact_bucket() -> None:
    found = resources("foundation", AccessLogBucket="logs-of-all")
    assert not {"AccessLogs", "AccessLogsPolicy"} & found.keys()
    [bucket] = of_type(found, "AWS::S3::Bucket").values()
    assert bucket["LoggingConfiguration"]["DestinationBucketName"] == "logs-of-all"
    assert not of_type(resources("foundation", CreateBucket="false"), "AWS::S3::Bucket")


def test_what_holds_data_refuses_everything_without_tls() -> None:
    denied = [
        statement
        for kind in KINDS
        for type_ in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
        for policy in of_type(whole(kind), type_).values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and "aws:SecureTransport" in statement["Condition"].get("Bool", {})
    ]
    assert len(denied) == 4
    for statement in denied:
        assert statement["Principal"] == "*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    of_buckets = [one["Resource"] for one in denied if one["Action"] == "s3:*"]
    assert sorted(of_buckets) == [
        ["arn:aws:s3:::access-logs", "arn:aws:s3:::access-logs/*"],
        [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    ]
    assert {one["Action"] for one in denied} == {"s3:*", "sns:Publish", "sqs:*"}


def test_logs_end_some_day_and_keys_turn() -> None:
    groups = [group for kind in KINDS for group in of_type(whole(kind), "AWS::Logs::LogGroup").values()]
    assert len(groups) == 15
    assert all(group["RetentionInDays"] == "90" for group in groups)
    assert all(key["EnableKeyRotation"] for key in of_type(whole("foundation"), "AWS::KMS::Key").values())


def test_a_function_that_fails_leaves_its_event_in_an_encrypted_queue_with_an_alarm() -> None:
    found = resources("automation")
    queues = of_type(found, "AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    for function in of_type(found, "AWS::Lambda::Function").values():
        assert function["DeadLetterConfig"]["TargetArn"].endswith(":DeadLetters")
        assert function["Timeout"] > PATIENCE, "a function that waits for another has time for its own work"
        assert function["LoggingConfig"]["LogGroup"]
    for rule in of_type(found, "AWS::Events::Rule").values():
        assert all(target["DeadLetterConfig"]["Arn"].endswith(":DeadLetters") for target in rule["Targets"])
    [alarm] = of_type(found, "AWS::CloudWatch::Alarm").values()
    assert alarm["AlarmActions"] == ["arn:aws:any:eu-west-1:000000000000:Topic"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "DeadLetters"}]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "Maximum",
        "GreaterThanThreshold",
        0,
    )


def test_every_rule_is_on_and_may_call_its_function() -> None:
    found = resources("automation")
    rules = of_type(found, "AWS::Events::Rule")
    assert {rule["State"] for rule in rules.values()} == {"ENABLED"}
    assert rules["TimerRule"]["ScheduleExpression"] == "rate(15 minutes)"
    permissions = of_type(found, "AWS::Lambda::Permission").values()
    allowed = {(one["SourceArn"].rpartition(":")[2], one["FunctionName"]) for one in permissions}
    called = {
        (name, target["Arn"].rpartition(":")[2])
        for name, rule in rules.items()
        for target in rule["Targets"]
        if target["Arn"].endswith("Function")
    }
    assert allowed == called
    assert {one["Principal"] for one in permissions} == {"events.amazonaws.com"}


def test_a_push_builds_under_the_role_of_ci() -> None:
    build = of_type(resources("ci"), "AWS::CodeBuild::Project")["Build"]
    [pushes] = ({one["Type"]: one["Pattern"] for one in group} for group in build["Triggers"]["FilterGroups"])
    assert pushes == {"EVENT": "PUSH", "HEAD_REF": "^refs/heads/main$"}
    assert build["Triggers"]["Webhook"] is True
    assert build["ServiceRole"] == PARAMETERS["ci"]["CiRoleArn"]
    assert build["ConcurrentBuildLimit"] == 1, "two builds would upsert at once"
    assert build["LogsConfig"]["CloudWatchLogs"] == {"Status": "ENABLED", "GroupName": "BuildLog"}


def test_a_pull_request_builds_under_a_role_of_its_own_and_shares_nothing_with_the_branch() -> None:
    builds = of_type(resources("ci"), "AWS::CodeBuild::Project")
    branch, pull = builds["Build"], builds["PullRequestBuild"]
    [pulls] = ({one["Type"]: one["Pattern"] for one in group} for group in pull["Triggers"]["FilterGroups"])
    assert "PULL_REQUEST_CREATED" in pulls["EVENT"]
    assert pulls["BASE_REF"] == "^refs/heads/main$"
    assert pull["Triggers"]["Webhook"] is True
    assert pull["ServiceRole"] == PARAMETERS["ci"]["PlanRoleArn"]
    assert pull["ServiceRole"] != branch["ServiceRole"]
    policy = pull["Triggers"]["PullRequestBuildPolicy"]
    assert policy["RequiresCommentApproval"] in values_of("PullRequestBuildCommentApproval")
    assert set(policy["ApproverRoles"]) <= values_of("PullRequestBuildApproverRole")
    assert policy["RequiresCommentApproval"] == "FORK_PULL_REQUESTS"
    assert "GITHUB_READ" not in policy["ApproverRoles"], "anybody reads a public repository"
    assert pull["Cache"] == {"Type": "NO_CACHE"}
    assert pull["LogsConfig"]["CloudWatchLogs"] == {"Status": "ENABLED", "GroupName": "PullRequestLog"}
    others = [group for group in branch["Triggers"]["FilterGroups"] if "PULL_REQUEST" in str(group)]
    assert others == [], "the role of CI builds no pull request"


def values_of(shape: str) -> set[str]:
    """What CodeBuild's API takes for an enumeration; CloudFormation's schemas do not say."""
    return set(botocore.session.get_session().get_service_model("codebuild").shape_for(shape).enum)


def test_both_builds_fetch_the_repository_by_the_connection_and_the_roles_let_them() -> None:
    for build in of_type(resources("ci"), "AWS::CodeBuild::Project").values():
        assert "Auth" not in build["Source"], "CodeBuild's own credential for GitHub"
    for build in of_type(resources("ci", ConnectionArn=CONNECTION), "AWS::CodeBuild::Project").values():
        assert build["Source"]["Auth"] == {"Type": "CODECONNECTIONS", "Resource": CONNECTION}
        assert build["Source"]["Auth"]["Type"] in values_of("SourceAuthType")
    without, with_connection = resources("foundation"), resources("foundation", ConnectionArn=CONNECTION)
    for role in ("CiRole", "PlanRole"):
        for action in ("codeconnections:GetConnection", "codeconnections:GetConnectionToken"):
            assert allows(statements(with_connection, role), action, CONNECTION)
            assert not allows(statements(with_connection, role), action, f"{CONNECTION}2"), (
                "another connection"
            )
            assert not allows(statements(without, role), action)


def test_both_builds_run_the_same_commands_for_the_same_project() -> None:
    for build in of_type(resources("ci"), "AWS::CodeBuild::Project").values():
        assert build["Source"]["BuildSpec"] == "codebuild-buildspec.yml"
        variables = {one["Name"]: one["Value"] for one in build["Environment"]["EnvironmentVariables"]}
        assert variables == {
            "GATEHOUSE_PROJECT": PROJECT,
            "GATEHOUSE_TARGET": "aws",
            "ARTIFACT_BUCKET": BUCKET,
            "SAGEMAKER_PIPELINE_ROLE_ARN": EXECUTION_ROLE,
        }
