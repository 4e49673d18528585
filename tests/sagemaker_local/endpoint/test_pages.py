from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_local.errors import AwsError
from sagemaker_local.services import paging

Items = list[dict[str, float]]


def place(item: dict[str, float]) -> tuple[str | float, ...]:
    return (item["time"], str(item["id"]))


def walk(items: Items, size: int, order: str) -> Items:
    found: Items = []
    token: str | None = None
    while True:
        request = {"MaxResults": size, "SortOrder": order, **({"NextToken": token} if token else {})}
        page, token = paging.page(items, request, place)
        assert len(page) <= size
        found += page
        if token is None:
            return found


@given(
    times=st.lists(st.floats(0, 1e9), max_size=30),
    size=st.integers(1, 7),
    order=st.sampled_from(["Ascending", "Descending"]),
)
def test_pages_together_hold_every_item_once_and_in_order(times: list[float], size: int, order: str) -> None:
    items = [{"id": number, "time": moment} for number, moment in enumerate(times)]
    assert walk(items, size, order) == sorted(items, key=place, reverse=order == "Descending")


def test_what_is_created_between_two_pages_neither_repeats_nor_hides_an_item() -> None:
    items: Items = [{"id": n, "time": n} for n in range(6)]
    first, token = paging.page(items, {"MaxResults": 3}, place)
    rest, _ = paging.page([*items, {"id": 9, "time": 9}], {"MaxResults": 3, "NextToken": token}, place)
    assert [item["id"] for item in first + rest] == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("token", ["x", "e30=", "W10=", "WzFd", "!!", "bnVsbA=="])
def test_a_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(AwsError, match="NextToken"):
        paging.page([{"id": 1, "time": 1}], {"NextToken": token}, place)


def test_a_token_of_the_other_order_is_refused() -> None:
    items: Items = [{"id": n, "time": n} for n in range(3)]
    _, token = paging.page(items, {"MaxResults": 1, "SortOrder": "Ascending"}, place)
    with pytest.raises(AwsError, match="NextToken"):
        paging.page(items, {"MaxResults": 1, "SortOrder": "Descending", "NextToken": token}, place)
