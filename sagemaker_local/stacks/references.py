"""The physical names of a stack's resources, and what ``Ref`` and ``Fn::GetAtt`` give of them.

A physical name that a template does not give is ``<stack>-<logical id>``. A resource that is not created here
has one, too, and an ARN that looks as on AWS, so that a template can refer to a role or a key.
"""

from __future__ import annotations

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.stacks.cloudformation import Reference, Stack

_NAME_PROPERTY = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Events::Rule": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::CodeBuild::Project": "Name",
}


def physical_name(stack: Stack, logical: str) -> str:
    """The name of the resource with a logical id."""
    resource = stack.template["Resources"][logical]
    given = resource.get("Properties", {}).get(_NAME_PROPERTY.get(resource["Type"], ""))
    return str(stack.value(given)) if given is not None else f"{stack.name}-{logical}"


def reference(stack: Stack, logical: str) -> Reference:
    """What ``Ref`` and ``Fn::GetAtt`` give of the resource with a logical id."""
    kind, name = stack.template["Resources"][logical]["Type"], physical_name(stack, logical)
    place = f"{stack.region}:{LOCAL_ACCOUNT}"
    match kind:
        case "AWS::SQS::Queue":
            url = f"https://sqs.{stack.region}.amazonaws.com/{LOCAL_ACCOUNT}/{name}"
            return Reference(url, {"Arn": f"arn:aws:sqs:{place}:{name}", "QueueName": name})
        case "AWS::SNS::Topic":
            arn = f"arn:aws:sns:{place}:{name}"
            return Reference(arn, {"TopicArn": arn, "TopicName": name})
        case "AWS::Lambda::Function":
            return Reference(name, {"Arn": f"arn:aws:lambda:{place}:function:{name}"})
        case "AWS::Events::Rule":
            return Reference(name, {"Arn": f"arn:aws:events:{place}:rule/{name}"})
        case "AWS::IAM::Role":
            return Reference(name, {"Arn": f"arn:aws:iam::{LOCAL_ACCOUNT}:role/{name}", "RoleId": name})
        case "AWS::IAM::ManagedPolicy":
            arn = f"arn:aws:iam::{LOCAL_ACCOUNT}:policy/{name}"
            return Reference(arn, {"PolicyArn": arn})
        case "AWS::S3::Bucket":
            return Reference(name, {"Arn": f"arn:aws:s3:::{name}"})
    service, resource = kind.split("::")[1].lower(), kind.split("::")[2].lower()
    return Reference(name, {"Arn": f"arn:aws:{service}:{place}:{resource}/{name}"})
