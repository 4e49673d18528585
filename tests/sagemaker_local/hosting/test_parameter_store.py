"""Parameter Store: values, their history, their labels, and two writers at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hosting_place import Place
from wire_clients import client_of, server_process, wait_for

from sagemaker_local import endpoint


def code(attempt: Callable[[], Any]) -> str:
    """The name of the error that an attempt ends with."""
    with pytest.raises(ClientError) as error:
        attempt()
    return str(error.value.response["Error"]["Code"])


def put(place: Place, name: str, value: str, **members: Any) -> int:
    version: int = place.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True, **members)[
        "Version"
    ]
    return version


def test_a_parameters_history_is_every_value_it_had(place: Place) -> None:
    name = "/gatehouse/rc-fraud-detection/dev/model-package"
    for version, value in enumerate(("one", "two", "three"), 1):
        assert put(place, name, value, Description=f"because of {value}") == version
    history = place.ssm.get_parameter_history(Name=name)["Parameters"]
    assert [(one["Version"], one["Value"], one["Description"]) for one in history] == [
        (1, "one", "because of one"),
        (2, "two", "because of two"),
        (3, "three", "because of three"),
    ]
    current = place.ssm.get_parameter(Name=name)["Parameter"]
    assert (current["Value"], current["Version"]) == ("three", 3)
    assert current["ARN"].endswith(f":parameter{name}")
    assert place.ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "one"
    assert place.ssm.get_parameter(Name=current["ARN"])["Parameter"]["Value"] == "three"
    assert code(lambda: place.ssm.get_parameter(Name=f"{name}:9")) == "ParameterVersionNotFound"
    pages = place.ssm.get_paginator("get_parameter_history").paginate(
        Name=name, PaginationConfig={"PageSize": 1}
    )
    assert [one["Value"] for page in pages for one in page["Parameters"]] == ["one", "two", "three"]


def test_a_label_belongs_to_one_version_and_moves(place: Place) -> None:
    for value in ("a", "b"):
        put(place, "/labels/x", value)
    label = place.ssm.label_parameter_version
    found = label(Name="/labels/x", ParameterVersion=1, Labels=["good", "aws-bad", "1bad"])
    assert found["InvalidLabels"] == ["aws-bad", "1bad"]
    assert place.ssm.get_parameter(Name="/labels/x:good")["Parameter"]["Value"] == "a"
    assert label(Name="/labels/x", Labels=["good"])["ParameterVersion"] == 2
    assert place.ssm.get_parameter(Name="/labels/x:good")["Parameter"]["Value"] == "b"
    history = place.ssm.get_parameter_history(Name="/labels/x")["Parameters"]
    assert [one.get("Labels", []) for one in history] == [[], ["good"]]
    removed = place.ssm.unlabel_parameter_version(
        Name="/labels/x", ParameterVersion=2, Labels=["good", "other"]
    )
    assert (removed["RemovedLabels"], removed["InvalidLabels"]) == (["good"], ["other"])
    assert code(lambda: place.ssm.get_parameter(Name="/labels/x:good")) == "ParameterVersionNotFound"
    many = [f"l{number}" for number in range(10)]
    label(Name="/labels/x", Labels=many)
    assert code(lambda: label(Name="/labels/x", Labels=["more"])) == "ParameterVersionLabelLimitExceeded"


def test_the_last_hundred_versions_are_kept_and_a_labelled_one_is_never_dropped(place: Place) -> None:
    put(place, "/many/x", "0")
    place.ssm.label_parameter_version(Name="/many/x", Labels=["first"])
    for number in range(1, 100):
        put(place, "/many/x", str(number))
    assert code(lambda: put(place, "/many/x", "100")) == "ParameterMaxVersionLimitExceeded"
    place.ssm.label_parameter_version(Name="/many/x", ParameterVersion=2, Labels=["first"])
    assert put(place, "/many/x", "100") == 101
    pages = place.ssm.get_paginator("get_parameter_history").paginate(Name="/many/x")
    versions = [one["Version"] for page in pages for one in page["Parameters"]]
    assert versions == list(range(2, 102))


def test_parameters_are_found_by_path_and_by_name(place: Place) -> None:
    for name in ("/team/a/dev", "/team/a/prod", "/team/b", "/teams"):
        put(place, name, name)
    by_path = place.ssm.get_parameters_by_path

    def names(found: dict[str, Any]) -> list[str]:
        return [one["Name"] for one in found["Parameters"]]

    assert names(by_path(Path="/team")) == ["/team/b"]
    assert names(by_path(Path="/team/", Recursive=True)) == ["/team/a/dev", "/team/a/prod", "/team/b"]
    first = by_path(Path="/team", Recursive=True, MaxResults=2)
    rest = by_path(Path="/team", Recursive=True, MaxResults=2, NextToken=first["NextToken"])
    assert names(first) + names(rest) == ["/team/a/dev", "/team/a/prod", "/team/b"]
    found = place.ssm.get_parameters(Names=["/team/b", "/team/b:7", "/nobody"])
    assert names(found) == ["/team/b"]
    assert found["InvalidParameters"] == ["/team/b:7", "/nobody"]
    starts = {"Key": "Name", "Option": "BeginsWith", "Values": ["/team/a"]}
    assert names(place.ssm.describe_parameters(ParameterFilters=[starts])) == ["/team/a/dev", "/team/a/prod"]
    below = {"Key": "Path", "Option": "Recursive", "Values": ["/team/a"]}
    assert names(place.ssm.describe_parameters(ParameterFilters=[below])) == ["/team/a/dev", "/team/a/prod"]


def test_a_deleted_parameter_is_gone_with_its_history(place: Place) -> None:
    put(place, "/short/x", "1")
    put(place, "/short/y", "1")
    place.ssm.delete_parameter(Name="/short/x")
    assert code(lambda: place.ssm.get_parameter(Name="/short/x")) == "ParameterNotFound"
    assert code(lambda: place.ssm.delete_parameter(Name="/short/x")) == "ParameterNotFound"
    found = place.ssm.delete_parameters(Names=["/short/x", "/short/y"])
    assert (found["DeletedParameters"], found["InvalidParameters"]) == (["/short/y"], ["/short/x"])
    assert put(place, "/short/x", "2") == 1


def test_what_parameter_store_does_not_take_is_refused_by_its_names(place: Place) -> None:
    create = place.ssm.put_parameter
    create(Name="taken", Value="1", Type="String", AllowedPattern=r"\d+")
    assert code(lambda: create(Name="taken", Value="2", Type="String")) == "ParameterAlreadyExists"
    assert (
        code(lambda: create(Name="taken", Value="2", Type="StringList", Overwrite=True))
        == "HierarchyTypeMismatchException"
    )
    assert code(lambda: create(Name="untyped", Value="2")) == "ValidationException"
    assert code(lambda: create(Name="no//name", Value="2", Type="String")) == "ValidationException"
    assert code(lambda: create(Name="aws-x", Value="2", Type="String")) == "ValidationException"
    assert code(lambda: create(Name="large", Value="x" * 4097, Type="String")) == "ValidationException"
    assert create(Name="large", Value="x" * 4097, Type="String", Tier="Advanced")["Tier"] == "Advanced"
    assert (
        code(lambda: create(Name="digits", Value="x", Type="String", AllowedPattern=r"\d+"))
        == "ParameterPatternMismatchException"
    )
    secret = code(lambda: create(Name="secret", Value="x", Type="SecureString"))
    assert secret == "UnsupportedParameterType"


def test_two_writers_at_once_get_a_version_each(place: Place) -> None:
    def write(number: int) -> int:
        return put(Place(place.url), "/race/x", str(number))

    with ThreadPoolExecutor(4) as threads:
        versions = list(threads.map(write, range(12)))
    assert sorted(versions) == list(range(1, 13))
    history = place.ssm.get_parameter_history(Name="/race/x")["Parameters"]
    assert {str(one["Version"]) for one in history} == {str(number) for number in range(1, 13)}


def test_what_was_acknowledged_survives_a_kill_between_writes(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with server_process(tmp_path / "home") as (process, url):

        def write() -> None:
            ssm = client_of(url, "ssm")
            try:
                while True:
                    answer = ssm.put_parameter(
                        Name="/kill/x", Value=str(len(acknowledged)), Type="String", Overwrite=True
                    )
                    if "Version" not in answer:
                        return  # torn off after its headers, which botocore takes for an empty answer
                    acknowledged.append(answer["Version"])
            except (BotoCoreError, ClientError):
                return

        writer = threading.Thread(target=write)
        writer.start()
        wait_for(lambda: True if len(acknowledged) > 20 else None)
        os.kill(process.pid, signal.SIGKILL)
        writer.join()
    with endpoint.start(tmp_path / "home") as running:
        ssm = client_of(running.url, "ssm")
        latest = ssm.get_parameter(Name="/kill/x")["Parameter"]
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    assert latest["Version"] in (len(acknowledged), len(acknowledged) + 1)
    assert latest["Value"] == str(latest["Version"] - 1)
