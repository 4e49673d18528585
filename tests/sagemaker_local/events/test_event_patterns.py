"""The pattern language: by AWS's own examples, and against an oracle that knows it by definition."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_local.events import patterns
from sagemaker_local.events.comparisons import InvalidPattern


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return patterns.parse(json.dumps(pattern)).matches(json.dumps(event))


@pytest.mark.parametrize(
    ("alternative", "passing", "failing"),
    [
        ("a", ["a", ["b", "a"], [["a"]]], ["A", "ab", None, ["b"], [], {"a": "a"}]),
        ("", [""], [None, "a"]),
        (None, [None, [None]], ["", 0, False]),
        (True, [True], [1, "true", False]),
        (1, [1], [1.0, "1", True, 10]),
        ({"prefix": "ab"}, ["ab", "abc", ["x", "abc"]], ["a", "ABC", "cab", 1]),
        ({"prefix": {"equals-ignore-case": "aB"}}, ["AbC"], ["a"]),
        ({"suffix": ".csv"}, ["x.csv"], ["x.CSV", "csv"]),
        ({"suffix": {"equals-ignore-case": ".csv"}}, ["x.CSV"], ["x.cs"]),
        ({"equals-ignore-case": "Prod"}, ["prod", "PROD"], ["production"]),
        ({"wildcard": "a*c*"}, ["ac", "abcd", "acc"], ["a", "xac", "ab"]),
        ({"wildcard": "a\\*c"}, ["a*c"], ["abc", "ac"]),
        ({"wildcard": "ab*ba"}, ["abba", "abxba"], ["aba"]),
        ({"numeric": [">", 0, "<=", 5]}, [0.1, 5, 5.0], [0, 5.01, "3", True, None]),
        ({"numeric": ["=", 3e1]}, [30, 30.0], [31]),
        ({"exists": True}, ["", None, 0, ["a"]], [..., {"a": 1}, []]),
        ({"exists": False}, [..., {"a": 1}], ["", None]),
        ({"anything-but": "a"}, ["b", 1, None, True], ["a", ...]),
        ({"anything-but": ["a", "b"]}, ["c", ["a", "c"]], ["a", ["a", "b"]]),
        ({"anything-but": [1, 2]}, [3, "1"], [1]),
        ({"anything-but": {"prefix": "a"}}, ["b"], ["ab"]),
        ({"anything-but": {"suffix": ["a", "b"]}}, ["bac"], ["cb"]),
        ({"anything-but": {"wildcard": "*/tmp/*"}}, ["x/y"], ["x/tmp/y"]),
        ({"anything-but": {"equals-ignore-case": ["dev"]}}, ["prod"], ["DEV"]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.255"], ["10.0.1.0", "x"]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["10.0.0.1"]),
    ],
)
def test_a_comparison_takes_what_it_names_and_nothing_else(
    alternative: object, passing: list[object], failing: list[object]
) -> None:
    for values, expected in ((passing, True), (failing, False)):
        for value in values:
            detail = {} if value is ... else {"x": value}
            assert matches({"detail": {"x": [alternative]}}, {"detail": detail}) is expected, value


def test_all_fields_must_match_and_one_alternative_of_each() -> None:
    pattern = {"source": ["aws.ssm", "aws.sagemaker"], "detail": {"a": {"b": [1, {"prefix": "x"}]}}}
    assert matches(pattern, {"source": "aws.ssm", "detail": {"a": {"b": "xy"}, "other": 1}})
    assert not matches(pattern, {"source": "aws.ssm", "detail": {"a": {"b": 2}}})
    assert not matches(pattern, {"source": "aws.s3", "detail": {"a": {"b": 1}}})
    assert not matches(pattern, {"source": "aws.ssm", "detail": {"a": 1}})


def test_fields_below_a_list_must_match_in_one_of_its_items() -> None:
    pattern = {"parts": {"name": ["a"], "size": [1]}}
    assert matches(pattern, {"parts": [{"name": "b"}, {"name": "a", "size": 1}]})
    assert not matches(pattern, {"parts": [{"name": "a", "size": 2}, {"name": "b", "size": 1}]})


def test_one_branch_of_an_or_must_match_beside_everything_else() -> None:
    pattern = {"source": ["s"], "detail": {"$or": [{"x": [1]}, {"y": [{"exists": False}], "z": [2]}]}}
    assert matches(pattern, {"source": "s", "detail": {"x": 1, "y": 0}})
    assert matches(pattern, {"source": "s", "detail": {"z": 2}})
    assert not matches(pattern, {"source": "s", "detail": {"z": 2, "y": 0}})
    assert not matches(pattern, {"source": "t", "detail": {"x": 1}})


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must not be an empty object"),
        ('{"source": "aws.ssm"}', "source must be an object or a list"),
        ('{"source": []}', "source must not be an empty list"),
        ('{"detail": {"a": {}}}', r"detail\.a must not be an empty object"),
        ('{"a": [["b"]]}', "must not hold a list"),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', "must have one key, not 2"),
        ('{"a": [{"starts": "x"}]}', "unknown comparison 'starts'"),
        ('{"a": [{"prefix": 1}]}', "prefix at a must be a string"),
        ('{"a": [{"exists": "yes"}]}', "true or false"),
        ('{"a": [{"numeric": ["~", 1]}]}', "a comparison is one of"),
        ('{"a": [{"numeric": ["<", "1"]}]}', "followed by a number"),
        ('{"a": [{"numeric": ["<", 1, ">", 0]}]}', "a lower bound"),
        ('{"a": [{"numeric": [">", 5, "<", 5]}]}', "empty"),
        ('{"a": [{"wildcard": "a**"}]}', r"two \* in a row"),
        ('{"a": [{"wildcard": "a\\\\b"}]}', "backslash"),
        ('{"a": [{"anything-but": [1, "a"]}]}', "all of one kind"),
        ('{"a": [{"anything-but": []}]}', "empty list"),
        ('{"a": [{"anything-but": {"exists": true}}]}', "not 'exists'"),
        ('{"a": [{"cidr": "10.0.0.0/40"}]}', "cidr at a"),
        ('{"$or": [{"a": [1]}]}', "at least two"),
        ('{"a": [NaN]}', "not JSON"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_place(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidPattern, match=reason):
        patterns.parse(pattern)


def test_a_wildcard_that_could_backtrack_for_very_long_ends() -> None:
    pattern = patterns.parse(json.dumps({"a": [{"wildcard": "*a" * 30 + "*b"}]}))
    assert not pattern.matches(json.dumps({"a": "a" * 5000}))


WORDS = st.text("ab*", max_size=4)
SCALARS = st.one_of(WORDS, st.integers(-2, 2), st.booleans(), st.none())
COMPARISONS = st.one_of(
    st.builds(lambda text: {"prefix": text}, WORDS.filter(bool)),
    st.builds(lambda text: {"suffix": text}, WORDS.filter(bool)),
    st.builds(lambda text: {"wildcard": text}, WORDS.filter(lambda text: text and "**" not in text)),
    st.builds(lambda flag: {"exists": flag}, st.booleans()),
    st.builds(lambda words: {"anything-but": words}, st.lists(WORDS, min_size=1, max_size=2)),
    st.builds(lambda number: {"numeric": ["<", number]}, st.integers(-2, 2)),
)
LEAVES = st.lists(st.one_of(SCALARS, COMPARISONS), min_size=1, max_size=3)
FIELDS = st.sampled_from("xyz")
PATTERNS = st.recursive(
    LEAVES, lambda inner: st.dictionaries(FIELDS, inner, min_size=1, max_size=2), max_leaves=5
).filter(lambda pattern: isinstance(pattern, dict))
EVENTS = st.dictionaries(
    FIELDS,
    st.recursive(
        st.one_of(SCALARS, st.lists(SCALARS, max_size=2)),
        lambda inner: st.dictionaries(FIELDS, inner, max_size=2),
        max_leaves=5,
    ),
)


@settings(max_examples=400)
@given(PATTERNS, EVENTS)
def test_matching_agrees_with_the_definition(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert matches(pattern, event) is oracle(pattern, event)


def oracle(pattern: dict[str, Any], event: object) -> bool:
    """The language by its definition: every path of the pattern has a value that an alternative takes."""

    def paths(node: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], list[Any]]]:
        found = []
        for key, value in node.items():
            inner = (*prefix, key)
            found += paths(value, inner) if isinstance(value, dict) else [(inner, value)]
        return found

    def values(node: object, path: tuple[str, ...]) -> list[Any]:
        for key in path:
            if not isinstance(node, dict) or key not in node:
                return []
            node = node[key]
        if isinstance(node, dict):
            return []
        return node if isinstance(node, list) else [node]

    def takes(alternative: Any, found: list[Any]) -> bool:
        if not isinstance(alternative, dict):
            return any(json.dumps(alternative) == json.dumps(value) for value in found)
        ((name, operand),) = alternative.items()
        if name == "exists":
            return bool(found) is operand
        if name == "anything-but":
            return any(value not in operand for value in found)
        if name == "numeric":
            return any(type(value) is int and value < operand[1] for value in found)
        texts = [value for value in found if isinstance(value, str)]
        if name == "wildcard":
            return any(is_wildcard(operand, text) for text in texts)
        return any(text.startswith(operand) if name == "prefix" else text.endswith(operand) for text in texts)

    return all(any(takes(one, values(event, path)) for one in leaf) for path, leaf in paths(pattern))


def is_wildcard(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(is_wildcard(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and text[0] == pattern[0] and is_wildcard(pattern[1:], text[1:])
