"""Reads CloudFormation templates: YAML with its short forms, and the values of intrinsic functions.

The subset: Parameters (with Default, AllowedValues, and the types String, Number, CommaDelimitedList),
Mappings, Conditions, Resources; ``Ref``, ``Fn::GetAtt``, ``Fn::Sub`` (both forms), ``Fn::Join``,
``Fn::Select``, ``Fn::Split``, ``Fn::FindInMap``, ``Fn::If``, ``Fn::Equals``, ``Fn::And``, ``Fn::Or``,
``Fn::Not``, ``Condition``, ``Fn::ToJsonString``, ``Fn::Base64``; the pseudo parameters; a resource's
``Condition``. Transforms and macros are not expanded. Everything else that is a function is refused.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from aws_formats.arns import LOCAL_ACCOUNT

_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")
_ABSENT = object()
"""AWS::NoValue: the member that has it is left out."""


class TemplateError(Exception):
    """Why a template cannot be read, or its resources cannot be created."""


_FASTEST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML built with libyaml reads a template several times as fast; not every build of it has that."""


class _Loader(_FASTEST):  # type: ignore[misc] # PyYAML has no types
    """YAML as CloudFormation reads it: short forms, and dates that stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way
        key: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def read(path: Path) -> dict[str, Any]:
    """A template file, YAML or JSON.

    Raises:
        TemplateError: it cannot be read, or is none.
    """
    try:
        document = yaml.load(path.read_text(), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TemplateError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(f"{path} is not a CloudFormation template: it has no Resources")
    return document


@dataclass(frozen=True)
class Reference:
    """What ``Ref`` and ``Fn::GetAtt`` give of one resource."""

    ref: str
    attributes: Mapping[str, str]


@dataclass
class Stack:
    """A template with its parameters' values.

    Attributes:
        name: what physical names begin with where the template gives none.
        given: values of parameters, by name.
        references: by logical id; asked for when a value needs one.
    """

    template: Mapping[str, Any]
    region: str
    name: str
    given: Mapping[str, str]
    references: Callable[[str], Reference]
    _parameters: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Raises TemplateError for a parameter without a value, with a wrong one, or unknown."""
        declared = self.template.get("Parameters", {})
        unknown = sorted(self.given.keys() - declared.keys())
        if unknown:
            raise TemplateError(f"{self.name}: the template has no parameter {', '.join(unknown)}")
        self._parameters = {
            name: _parameter_value(self.name, name, declaration, self.given)
            for name, declaration in declared.items()
        }

    def resources(self) -> dict[str, Mapping[str, Any]]:
        """The resources whose condition holds, by logical id."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }

    def value(self, value: Any) -> Any:
        """A value with its functions carried out; what is AWS::NoValue is left out.

        Raises:
            TemplateError: a function that is unknown here, or has wrong arguments.
        """
        found = self._resolved(value)
        return None if found is _ABSENT else found

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolved, value) if item is not _ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in ("Ref", "Condition") or str(name).startswith("Fn::"):
                return self._function(name, argument)
        resolved = {name: self._resolved(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not _ABSENT}

    def _function(self, name: str, argument: Any) -> Any:
        function = _FUNCTIONS.get(name)
        if function is None:
            if name == "Condition" and not isinstance(argument, str):  # a policy statement's member
                return {name: self._resolved(argument)}
            self._refuse(f"the function {name} is not implemented here")
        try:
            return function(self, argument)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise TemplateError(f"{self.name}: {name} has wrong arguments: {argument!r}") from error

    def _ref(self, name: str) -> Any:
        pseudo: dict[str, Any] = {
            "AWS::Region": self.region,
            "AWS::AccountId": LOCAL_ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.name,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{LOCAL_ACCOUNT}:stack/{self.name}/local",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": _ABSENT,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        return self._resource(name).ref

    def _resource(self, name: str) -> Reference:
        if name not in self.template["Resources"]:
            self._refuse(f"there is no parameter or resource {name}")
        return self.references(name)

    def _attribute(self, argument: Any) -> str:
        name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        attributes = self._resource(name).attributes
        if attribute not in attributes:
            self._refuse(f"{name} has no attribute {attribute} here")
        return attributes[attribute]

    def _sub(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self._resolved(value) for name, value in own.items()}

        def replaced(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{match[2]}}}"
            if name in values:
                return str(values[name])
            return str(self._attribute(name) if "." in name else self._ref(name))

        return _VARIABLE.sub(replaced, text)

    def _condition(self, name: str) -> bool:
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            self._refuse(f"there is no condition {name}")
        return bool(self._resolved(conditions[name]))

    def _if(self, argument: Any) -> Any:
        name, then, otherwise = argument
        return self._resolved(then if self._condition(name) else otherwise)

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = self._resolved(argument)
        return self.template.get("Mappings", {})[name][first][second]

    def _refuse(self, why: str) -> NoReturn:
        raise TemplateError(f"{self.name}: {why}")


def _join(stack: Stack, argument: Any) -> str:
    separator, values = argument
    return str(separator).join(str(value) for value in stack._resolved(values))


def _select(stack: Stack, argument: Any) -> Any:
    index, values = stack._resolved(argument)
    return values[int(index)]


def _split(stack: Stack, argument: Any) -> list[str]:
    separator, text = stack._resolved(argument)
    return str(text).split(separator)


def _equals(stack: Stack, argument: Any) -> bool:
    left, right = stack._resolved(argument)
    return str(left) == str(right)


_FUNCTIONS: dict[str, Callable[[Stack, Any], Any]] = {
    "Ref": Stack._ref,
    "Condition": Stack._condition,
    "Fn::GetAtt": Stack._attribute,
    "Fn::Sub": Stack._sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": Stack._find_in_map,
    "Fn::If": Stack._if,
    "Fn::Equals": _equals,
    "Fn::And": lambda stack, argument: all(map(stack._resolved, argument)),
    "Fn::Or": lambda stack, argument: any(map(stack._resolved, argument)),
    "Fn::Not": lambda stack, argument: not stack._resolved(argument[0]),
    "Fn::ToJsonString": lambda stack, argument: json.dumps(stack._resolved(argument)),
    "Fn::Base64": lambda stack, argument: base64.b64encode(str(stack._resolved(argument)).encode()).decode(),
}


def _parameter_value(stack: str, name: str, declaration: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    if name not in given and "Default" not in declaration:
        raise TemplateError(f"{stack}: the parameter {name} has no default; give it a value")
    value = str(given.get(name, declaration.get("Default")))
    allowed = declaration.get("AllowedValues")
    if allowed is not None and value not in map(str, allowed):
        raise TemplateError(
            f"{stack}: the parameter {name} is one of {', '.join(map(str, allowed))}, not {value}"
        )
    kind = str(declaration.get("Type", "String"))
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [part.strip() for part in value.split(",")] if value else []
    return value
