"""The environment variables that template.yaml gives to each function."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

from bench.artifacts import logical_id
from local.build import ROOT


@cache
def _template() -> dict[str, Any]:
    template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return template


def variables(function: str) -> Mapping[str, str]:
    """By name; parameters have their defaults, and what refers to a resource is its logical id."""
    own = _template()["Resources"][logical_id(function)]["Properties"].get("Environment", {}).get("Variables", {})
    all_functions = _template()["Globals"]["Function"]["Environment"]["Variables"]
    resolved = {name: _resolve(value) for name, value in (all_functions | own).items()}
    return {name: value for name, value in resolved.items() if value is not None}


def _resolve(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return str(value)
    if "Fn::Sub" in value:
        return str(value["Fn::Sub"]).replace("${AWS::StackName}", "callverify")
    name = value["Ref"]
    if name == "AWS::NoValue":
        return None
    parameter = _template()["Parameters"].get(name)
    return str(parameter["Default"]) if parameter else str(name)
