"""An environment as JSON, as the command hands it to the handlers of the automation."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import pytest

from registry.environments import Environment, from_json, to_json


class Place:
    """Clients that know which region and role they are for."""

    def __init__(self, region: str, assume_role: str | None) -> None:
        self.region, self.assume_role = region, assume_role

    def client(self, service: str) -> Any:
        raise AssertionError(f"nothing asks for a client of {service}")


SMALL = Environment(
    project="rc-churn",
    name="dev",
    region="eu-west-1",
    role_arn="arn:aws:iam::111122223333:role/models",
    instance_type="ml.m5.large",
    instance_count=1,
    clients=Place("eu-west-1", None),
)
FULL = Environment(
    project="rc-churn",
    name="prod",
    region="eu-central-1",
    role_arn="arn:aws:iam::444455556666:role/models",
    instance_type="ml.c5.large",
    instance_count=3,
    clients=Place("eu-central-1", "arn:aws:iam::444455556666:role/gatehouse"),
    assume_role="arn:aws:iam::444455556666:role/gatehouse",
    volume_size_gb=30,
    startup_timeout_seconds=600,
    download_timeout_seconds=900,
    alarms=("latency", "errors"),
    canary_percent=10,
    bake_seconds=300,
    capture_percent=20,
    capture_destination="s3://captures/rc-churn",
    kms_key="arn:aws:kms:eu-central-1:444455556666:key/1234abcd",
    network_isolation=True,
    subnets=("subnet-0a1b2c3d", "subnet-0a1b2c3e"),
    security_groups=("sg-0a1b2c3d",),
    tags={"gatehouse:team": "rc", "sagemaker:project-name": "churn"},
)


@pytest.mark.parametrize("environment", [SMALL, FULL], ids=["small", "full"])
def test_every_field_comes_back_from_json(environment: Environment) -> None:
    again = from_json(json.loads(json.dumps(to_json(environment))), Place)
    assert again == environment
    for one in fields(Environment):
        assert type(getattr(again, one.name)) is type(getattr(environment, one.name)), one.name
    assert (again.clients.region, again.clients.assume_role) == (environment.region, environment.assume_role)


def test_the_full_environment_has_no_field_at_its_default() -> None:
    """So that a field that is added later cannot be left out of the round trip."""
    for one in fields(Environment):
        default = one.default if one.default_factory is MISSING else one.default_factory()
        assert getattr(FULL, one.name) != default, one.name


def test_defaults_are_left_out_because_lambda_has_little_room() -> None:
    assert to_json(SMALL) == {
        "project": "rc-churn",
        "name": "dev",
        "region": "eu-west-1",
        "role_arn": "arn:aws:iam::111122223333:role/models",
        "instance_type": "ml.m5.large",
        "instance_count": 1,
    }


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(TypeError, match="subnet"):
        from_json({**to_json(SMALL), "subnet": "subnet-0a1b2c3d"}, Place)
