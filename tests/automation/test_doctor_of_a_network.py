"""`gatehouse doctor --target aws` on security groups, against a stand-in for EC2, over a real socket."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import boto3
import pytest
from registered_models import REGION, SETTINGS, Registry

from pipelines.settings import target

ALL_TCP = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}
NETWORK = """
[defaults.network]
subnets = ["{subnet}"]
security_groups = ["{group}"]
"""


class Vpc:
    """A VPC with one subnet and one security group, and what doctor says of them."""

    def __init__(self, url: str, commands: Registry) -> None:
        keys = {"region_name": REGION, "aws_access_key_id": "local", "aws_secret_access_key": "local"}
        self.ec2 = boto3.client("ec2", endpoint_url=url, **keys)
        self.commands = commands
        vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.4.0/24")["Subnet"]["SubnetId"]
        self.group = self.ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=vpc)[
            "GroupId"
        ]
        commands.settings(NETWORK.format(subnet=self.subnet, group=self.group))

    def open(self, **rule: Any) -> None:
        """Add a rule for incoming traffic; another one that is there goes."""
        [group] = self.ec2.describe_security_groups(GroupIds=[self.group])["SecurityGroups"]
        if group["IpPermissions"]:
            self.ec2.revoke_security_group_ingress(GroupId=self.group, IpPermissions=group["IpPermissions"])
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])

    def checked(self) -> dict[str, Any] | None:
        found = self.commands.gatehouse("doctor", "--target", "aws", "--json").document
        return next((check for check in found if check["check"] == "security groups"), None)


@pytest.fixture
def vpc(aws: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vpc:
    text = SETTINGS.format(name="churn")
    (tmp_path / "projects.toml").write_text(
        text.replace("[projects.rc.churn]", "[projects.rc.churn]\ntraining_instance_count = 2", 1)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("SAGEMAKER_PIPELINE_ROLE_ARN", "arn:aws:iam::123456789012:role/pipelines")
    # A process keeps its clients, and those of another test have that test's endpoint.
    monkeypatch.setattr(target, "_client", functools.cache(target._client.__wrapped__))
    return Vpc(aws, Registry(aws, tmp_path, "rc-churn", tiny))


def test_a_group_that_lets_nobody_in_is_named_with_the_rule_that_it_needs(vpc: Vpc) -> None:
    check = vpc.checked()
    assert check is not None
    assert not check["ok"]
    assert f"none of {vpc.group} allows all TCP ports from its own members" in check["found"]
    assert "Add a rule for all TCP ports from the group itself" in check["remedy"]


@pytest.mark.parametrize(
    ("rule", "ok"),
    [
        ({**ALL_TCP, "UserIdGroupPairs": ["itself"]}, True),
        ({"IpProtocol": "-1", "UserIdGroupPairs": ["itself"]}, True),
        ({**ALL_TCP, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}, True),
        ({**ALL_TCP, "IpRanges": [{"CidrIp": "10.1.4.0/28"}]}, False),
        ({**ALL_TCP, "IpRanges": [{"CidrIp": "10.2.0.0/16"}]}, False),
        ({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": ["itself"]}, False),
        ({"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": ["itself"]}, False),
    ],
    ids=["itself", "every protocol", "the VPC", "part of the subnet", "another VPC", "one port", "UDP"],
)
def test_a_rule_counts_that_is_for_all_tcp_ports_and_all_members(
    vpc: Vpc, rule: dict[str, Any], ok: bool
) -> None:
    if "UserIdGroupPairs" in rule:
        rule = {**rule, "UserIdGroupPairs": [{"GroupId": vpc.group}]}
    vpc.open(**rule)
    check = vpc.checked()
    assert check is not None
    assert check["ok"] is ok, check["found"]


def test_a_group_whose_members_may_not_send_is_named_too(vpc: Vpc) -> None:
    vpc.open(**ALL_TCP, UserIdGroupPairs=[{"GroupId": vpc.group}])
    everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    vpc.ec2.revoke_security_group_egress(GroupId=vpc.group, IpPermissions=[everywhere])
    check = vpc.checked()
    assert check is not None
    assert "allows all TCP ports to its own members" in check["found"]


def test_a_group_that_does_not_exist_is_named_as_aws_says_it(vpc: Vpc) -> None:
    file = vpc.commands.folder / "projects.toml"
    file.write_text(file.read_text().replace(vpc.group, "sg-0a1b2c3d"))
    check = vpc.checked()
    assert check is not None
    assert not check["ok"]
    assert "sg-0a1b2c3d" in check["found"]


def test_one_instance_needs_no_rule(vpc: Vpc) -> None:
    file = vpc.commands.folder / "projects.toml"
    file.write_text(file.read_text().replace("training_instance_count = 2", "training_instance_count = 1"))
    assert vpc.checked() is None
