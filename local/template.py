"""What the local stack waits for, read from the template that `sam build` has made."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Route:
    """A request that reaches a function and does nothing. `is_open`: it needs no credential."""

    method: str
    path: str
    is_open: bool


def routes(template: Mapping[str, Any]) -> list[Route]:
    """One for each route of the API, with "none" for what a path leaves open."""
    return [
        Route(
            route["Method"].upper(),
            re.sub(r"\{\w+\+?\}", "none", route["Path"]),
            route.get("Auth", {}).get("Authorizer") == "NONE",
        )
        for function in _functions(template).values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
        for route in [event["Properties"]]
    ]


def background_functions(template: Mapping[str, Any]) -> list[str]:
    """The logical ids of the functions to which no route leads: they take batches, or let browsers listen.

    A user pool's triggers are none of them: no stack has them that was not told of a pool.
    """
    functions = _functions(template)
    return sorted({name for target in _targets(template) for name in functions if re.search(rf"\b{name}\b", target)})


def _functions(template: Mapping[str, Any]) -> dict[str, Any]:
    resources = template["Resources"].items()
    return {name: each for name, each in resources if each["Type"] == "AWS::Serverless::Function"}


def _targets(template: Mapping[str, Any]) -> Iterator[str]:
    """The references by which streams, queues and push name their functions."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            yield json.dumps(resource["Properties"]["FunctionName"])
        if resource["Type"] == "AWS::AppSync::Api":
            yield json.dumps(resource["Properties"]["EventConfig"]["AuthProviders"])
