"""A page costs what is on it, whatever else there is, and tokens stay right while things come and go."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_clients import Client

from sagemaker_local import endpoint
from sagemaker_local.services import table
from sagemaker_local.store import Store
from sagemaker_local.store.listing import (
    CREATED,
    MODIFIED,
    NAME,
    Column,
    Condition,
    Listing,
    between,
    contains,
    member,
)

REGION, PARENT = "eu-west-1", "parent"
JOBS = Listing("job", {"CreationTime": (CREATED, NAME)})


def document(columns: tuple[Column, ...], number: int, same: tuple[Column, ...]) -> dict[str, Any]:
    """One that has every member which the columns name: its own values, but for those of `same`."""
    made: dict[str, Any] = {"CreationTime": float(number), "LastModifiedTime": float(number)}
    for column in columns:
        for name in re.findall(r"\$\.(\w+)", column.sql):
            made[name] = number if column.is_number else f"value-{number:05}"
    for column in same:
        made |= dict.fromkeys(re.findall(r"\$\.(\w+)", column.sql), same_value(column))
    return made


def same_value(column: Column) -> str | float:
    return 1 if column.is_number else "same"


def fill(store: Store, listing: Listing, count: int) -> None:
    columns = tuple(itertools.chain(*listing.orders.values()))
    with store.transaction():
        for number in range(1, count + 1):
            content = document(columns, number, listing.equals)
            store.put(listing.kind, REGION, f"name-{number:05}", content, parent=PARENT)


def steps(store: Store, work: Callable[[], object]) -> int:
    """How many instructions of SQLite's machine a read takes: each row that it looks at takes some."""
    taken = itertools.count()
    store.connection.set_progress_handler(lambda: next(taken) and 0, 1)
    work()
    store.connection.set_progress_handler(None, 1)
    return next(taken)


@pytest.mark.parametrize("listing", table.listings(), ids=lambda one: f"{one.kind}-{one.of_parent}")
def test_a_page_of_ten_reads_no_more_among_thousands_than_among_few(tmp_path: Path, listing: Listing) -> None:
    few, many = Store(tmp_path / "few.db"), Store(tmp_path / "many.db")
    fill(few, listing, 24)
    fill(many, listing, 2400)
    ways = itertools.product(listing.orders.values(), (None, *listing.equals), (False, True), (False, True))
    for order, filtered, descending, in_the_middle in ways:
        costs = []
        for store in (few, many):

            def page(after: Any = None, most: int = 11, store: Store = store) -> Any:
                return store.page(
                    listing,
                    order,  # noqa: B023
                    REGION,
                    parent=PARENT,
                    filtered=filtered and (filtered, same_value(filtered)),  # noqa: B023
                    after=after,
                    descending=descending,  # noqa: B023
                    most=most,
                )

            after = page(most=1200 if store is many else 12)[-1][0] if in_the_middle else None
            assert len(page(after)) == 11
            costs.append(steps(store, lambda: page(after)))  # noqa: B023
        assert costs[1] <= 1.5 * costs[0], (order, filtered, descending, in_the_middle, costs)


@pytest.mark.parametrize(
    "conditions",
    [
        contains(NAME, "name-0239"),
        between(MODIFIED, 2389.5, 2399.5),
        between(CREATED, 2389.5, 2399.5),
    ],
    ids=["part of a name", "last modified", "created"],
)
def test_what_few_meet_is_found_without_reading_the_documents_of_the_others(
    tmp_path: Path, conditions: list[Condition]
) -> None:
    """Documents that are no JSON would be an error if they were read."""
    store = Store(tmp_path / "state.db")
    fill(store, JOBS, 2400)
    store.prepare(JOBS)
    with store.transaction():
        store.connection.execute("UPDATE resource SET doc = '{' WHERE created < 2389.5")
    found = store.page(JOBS, JOBS.order(None), REGION, conditions=conditions, most=20)
    assert [place[1] for place, _ in found] == [f"name-{number:05}" for number in range(2390, 2400)]


Moments = st.lists(st.integers(0, 5), max_size=25)


@settings(max_examples=50)
@given(moments=Moments, added=Moments, size=st.integers(1, 7), descending=st.booleans(), data=st.data())
def test_pages_hold_every_document_once_and_in_order_while_others_come_and_go(
    tmp_path_factory: pytest.TempPathFactory,
    moments: list[int],
    added: list[int],
    size: int,
    descending: bool,
    data: st.DataObject,
) -> None:
    store = Store(tmp_path_factory.mktemp("pages") / "state.db")
    status = member("Status")
    listing = Listing("job", {"Status": (status, CREATED, NAME)})

    def put(name: str, moment: int) -> None:
        store.put("job", REGION, name, {"Status": str(moment % 2), "CreationTime": float(moment)})

    for number, moment in enumerate(moments):
        put(f"old-{number:02}", moment)
    removed = {f"old-{number:02}" for number in data.draw(st.sets(st.integers(0, 24)))}
    found: list[Any] = []
    place = None
    while page := store.page(
        listing, listing.order(None), REGION, after=place, descending=descending, most=size
    ):
        found += page
        place = page[-1][0]
        for name in removed:  # the one that the next page begins behind, too
            store.delete("job", REGION, name)
        if added:
            put(f"new-{len(added):02}", added.pop())
    places = [one for one, _ in found]
    assert places == sorted(set(places), reverse=descending)
    kept = {f"old-{number:02}" for number in range(len(moments))} - removed
    assert kept <= {one[2] for one in places}


def test_a_token_is_good_after_the_model_that_it_names_has_gone(sagemaker: Client, name: str) -> None:
    role = "arn:aws:iam::000000000000:role/local"
    names = [f"{name}-{number}" for number in range(6)]
    for one in names:
        container = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}
        sagemaker.create_model(ModelName=one, PrimaryContainer=container, ExecutionRoleArn=role)
    asked = {"NameContains": name, "MaxResults": 2}
    first = sagemaker.list_models(**asked)
    sagemaker.delete_model(ModelName=names[4])  # the last one of the page
    sagemaker.delete_model(ModelName=names[2])
    second = sagemaker.list_models(**asked, NextToken=first["NextToken"])
    third = sagemaker.list_models(**asked, NextToken=second["NextToken"])
    assert "NextToken" not in third
    shown = [[one["ModelName"] for one in page["Models"]] for page in (first, second, third)]
    assert shown == [[names[5], names[4]], [names[3], names[1]], [names[0]]]
    for other in ({"SortBy": "Name"}, {"SortOrder": "Ascending"}):
        with pytest.raises(ClientError, match="NextToken is not valid"):
            sagemaker.list_models(**asked, **other, NextToken=first["NextToken"])


def test_a_job_of_a_dead_process_is_listed_as_what_it_has_become(
    local: endpoint.Endpoint, sagemaker: Client, name: str
) -> None:
    store = local._operations.components.store
    arn = f"arn:aws:sagemaker:{REGION}:000000000000:training-job/{name}"
    left = {
        "TrainingJobName": name,
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatusTransitions": [],
        "CreationTime": 1.0,
        "_Owner": "dead",
        "_Folder": "left",
        "_Hosts": ["algo-1"],
    }
    store.put("training-job", REGION, name, left)

    def listed(status: str) -> list[str]:
        found = sagemaker.list_training_jobs(StatusEquals=status, NameContains=name)
        return [one["TrainingJobName"] for one in found["TrainingJobSummaries"]]

    assert listed("InProgress") == []
    assert listed("Failed") == [name]


def test_the_home_of_an_earlier_version_is_listed_by_the_time_of_change(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE resource (kind TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,"
            " parent TEXT NOT NULL DEFAULT '', created REAL NOT NULL, doc TEXT NOT NULL,"
            " PRIMARY KEY (kind, region, name))"
        )
        rows = [("job", REGION, str(time), "", time, f'{{"LastModifiedTime": {time}}}') for time in (1, 2, 3)]
        database.executemany("INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()
    store = Store(path)
    found = store.page(JOBS, JOBS.order(None), REGION, conditions=between(MODIFIED, 1.5, 2.5), most=9)
    assert [place for place, _ in found] == [(2.0, "2")]
