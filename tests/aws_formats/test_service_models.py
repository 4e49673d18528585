"""The descriptions that clients are made from: what is read quickly is what botocore itself reads."""

from __future__ import annotations

import json
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader, create_loader

from aws_formats.service_models import loader
from registry.clients import aws_session

DESCRIBED = [
    *(
        (service, kind)
        for service in ("sagemaker", "s3", "logs", "events", "lambda", "sts", "cloudformation")
        for kind in ("service-2", "endpoint-rule-set-1", "paginators-1")
    ),
    ("sagemaker", "waiters-2"),
]


class Alone(Loader):
    """botocore's, sharing nothing with the tests' sessions, whose clients change what they have read."""


@pytest.mark.parametrize(("service", "kind"), DESCRIBED)
def test_the_content_and_its_order_are_those_that_botocore_reads(service: str, kind: str) -> None:
    botocores = Alone().load_service_model(service, kind)
    ours = loader.__wrapped__().load_service_model(service, kind)
    # As texts: a comparison of dictionaries would not see their order, in which members are sent.
    assert json.dumps(ours) == json.dumps(botocores)


def test_an_unknown_service_is_botocores_own_error_that_names_those_there_are() -> None:
    with pytest.raises(UnknownServiceError, match=r"'sagemakr'.*sagemaker"):
        loader().load_service_model("sagemakr", "service-2")


def test_an_unknown_version_of_a_service_is_botocores_own_error() -> None:
    for one in (create_loader(), loader()):
        with pytest.raises(Exception, match="2001-01-01") as raised:
            one.load_service_model("sagemaker", "service-2", "2001-01-01")
        assert type(raised.value).__name__ == "DataNotFoundError"


def test_a_session_reads_the_descriptions_that_a_user_keeps_and_what_is_to_be_merged_into_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "models" / "sts" / "2999-01-01"
    newer.mkdir(parents=True)
    described = create_loader().load_service_model("sts", "service-2")
    described["metadata"]["serviceFullName"] = "A user's own"
    (newer / "service-2.json").write_text(json.dumps(described))
    (newer / "service-2.sdk-extras.json").write_text('{"merge": {"metadata": {"serviceId": "Merged"}}}')
    (newer / "endpoint-rule-set-1.json").write_text(
        json.dumps(create_loader().load_service_model("sts", "endpoint-rule-set-1"))
    )
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    for session in (botocore.session.get_session(), aws_session("eu-west-1")):
        made = session.create_client("sts", region_name="eu-west-1").meta.service_model.metadata
        assert (made["serviceFullName"], made["serviceId"]) == ("A user's own", "Merged")
    assert aws_session("eu-west-1").create_client("logs").meta.region_name == "eu-west-1"
