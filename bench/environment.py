"""The environment variables that template.yaml gives to each function."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from samcli.lib.intrinsic_resolver.intrinsic_property_resolver import (  # type: ignore[import-untyped]
    IntrinsicResolver,
)
from samcli.lib.intrinsic_resolver.intrinsics_symbol_table import (  # type: ignore[import-untyped]
    IntrinsicsSymbolTable,
)
from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

from bench.artifacts import logical_id
from local.build import ROOT


@cache
def _template() -> dict[str, Any]:
    template: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return template


def _resolver() -> Any:
    """A new one each time: it takes AWS::NoValue no more than once."""
    parameters = {name: parameter["Default"] for name, parameter in _template()["Parameters"].items()}
    names = {"AWS::StackName": "callverify", "AWS::NoValue": ""} | parameters
    symbols = IntrinsicsSymbolTable(template=_template(), logical_id_translator=names)
    return IntrinsicResolver(template=_template(), symbol_resolver=symbols)


def variables(function: str) -> Mapping[str, str]:
    """By name; parameters have their defaults, and what refers to a resource is its logical id."""
    own = _template()["Resources"][logical_id(function)]["Properties"].get("Environment", {}).get("Variables", {})
    all_functions = _template()["Globals"]["Function"]["Environment"]["Variables"]
    resolve = _resolver().intrinsic_property_resolver
    resolved = {name: resolve(value, False) for name, value in (all_functions | own).items()}
    return {name: str(value) for name, value in resolved.items() if value is not None}
