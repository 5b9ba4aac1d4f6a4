"""template.yaml as the tests read it: what functions are given and may do, and the table's definition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "template.yaml").read_text()
STACK_NAME = "callverify"
PSEUDO = {
    "AWS::StackName": STACK_NAME,
    "AWS::Region": "eu-central-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}


class TemplateLoader(yaml.SafeLoader):
    """Reads `!Ref X` as {"Ref": "X"}, and the other tags alike."""


def _construct(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    raise TypeError(node)


TemplateLoader.add_multi_constructor("!", _construct)
TEMPLATE: dict[str, Any] = yaml.load(TEXT, TemplateLoader)
PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
GLOBALS: dict[str, Any] = TEMPLATE["Globals"]["Function"]
# By logical id, each with its own properties; GLOBALS has what it shares.
FUNCTIONS: dict[str, Any] = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
API: dict[str, Any] = RESOURCES["Api"]["Properties"]
TABLE: dict[str, Any] = RESOURCES["Table"]["Properties"]
INDEX_TABLE: dict[str, Any] = RESOURCES["IndexTable"]["Properties"]


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(function: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a function of FUNCTIONS may do."""
    found = [statement for policy in function.get("Policies", []) for statement in policy["Statement"]]
    found = [each["If"][1] if each.keys() == {"If"} else each for each in found]
    return [each | {"Resource": own(each["Resource"])} for each in found]


def own(value: Any) -> Any:
    """What stands there while no table was restored."""
    match value:
        case {"If": ["IsRestored", _, of_the_stack]}:
            return of_the_stack
    return value


def routes(function: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The properties of each route that leads to a function of FUNCTIONS."""
    return [event["Properties"] for event in function.get("Events", {}).values()]


def function_of(folder: str) -> str:
    """The logical id of the function in functions/<folder>."""
    (name,) = [name for name, function in FUNCTIONS.items() if function["CodeUri"] == f"functions/{folder}/"]
    return name


def variables(name: str) -> dict[str, Any]:
    """The environment of a function by its logical id, as the template has it."""
    own = FUNCTIONS[name]["Environment"]["Variables"]
    return {**GLOBALS["Environment"]["Variables"], **own}


def environment(folder: str, **parameters: str) -> dict[str, str]:
    """The environment of the function in functions/<folder>, where these parameters are not at their defaults.

    What refers to a resource is its logical id.
    """
    unknown = parameters.keys() - PARAMETERS.keys()
    assert not unknown, unknown
    values = {name: str(parameter["Default"]) for name, parameter in PARAMETERS.items()} | parameters
    resolved = {name: resolve(value, values) for name, value in variables(function_of(folder)).items()}
    return {name: str(value) for name, value in resolved.items() if value is not None}


def resolve(value: Any, parameters: Mapping[str, str]) -> Any:
    """A value of the template with these parameters. Raises KeyError for what it does not know."""
    match value:
        case {"Ref": name}:
            return name if name in RESOURCES else {**PSEUDO, **parameters}[name]
        case {"GetAtt": name}:
            return name
        case {"Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda name: str(resolve({"Ref": name[1]}, parameters)), text)
        case {"If": [condition, then, otherwise]}:
            return resolve(then if _holds({"Condition": condition}, parameters) else otherwise, parameters)
    assert not isinstance(value, dict), value
    return value


def _holds(condition: Any, parameters: Mapping[str, str]) -> bool:
    match condition:
        case {"Condition": name}:
            return _holds(TEMPLATE["Conditions"][name], parameters)
        case {"Not": [one]}:
            return not _holds(one, parameters)
        case {"And": several}:
            return all(_holds(one, parameters) for one in several)
        case {"Equals": [left, right]}:
            return bool(resolve(left, parameters) == resolve(right, parameters))
    raise KeyError(condition)


def table_definition(name: str, properties: Mapping[str, Any] = TABLE) -> dict[str, Any]:
    """A table, as DynamoDB's CreateTable takes it."""
    stream = properties.get("StreamSpecification")
    return {
        "TableName": name,
        **{part: properties[part] for part in ("BillingMode", "AttributeDefinitions", "KeySchema")},
        **({"StreamSpecification": {"StreamEnabled": True, **stream}} if stream else {}),
    }
