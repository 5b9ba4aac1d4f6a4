"""The template's parameters: which there are, what may be in them, and which of a stack's were chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from callverify.providers import registry
from callverify.providers.names import NAMES
from cli.errors import Refused
from local.build import ROOT


@cache
def declared() -> Mapping[str, Mapping[str, Any]]:
    """The parameters of template.yaml, by name."""
    from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

    found: Mapping[str, Mapping[str, Any]] = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    return found


def defaults(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: text(given["Default"]) for name, given in parameters.items() if "Default" in given}


def check(values: Mapping[str, str]) -> None:
    """Raises Refused for all that CloudFormation or the service would refuse about these parameters."""
    found = [wrong(name, value) for name, value in values.items()]
    found.append(_wrong_order(values.get("ProviderOrder", "")))
    if values.get("DomainName") and not values.get("CertificateArn"):
        found.append("DomainName needs CertificateArn, an ACM certificate in the stack's region")
    if said := [each for each in found if each]:
        raise Refused("; ".join(said))


def wrong(name: str, value: str) -> str | None:
    """Why a parameter can't have this value; None where it can."""
    declaration = declared().get(name)
    if declaration is None:
        return (
            f"template.yaml has no parameter {name}: remove it (--unset {name}). Vendors' settings are in the secret "
            "provider-credentials (docs/operations.md, Secrets)"
        )
    about = f"{name}={value!r} is not valid: "
    allowed = [text(each) for each in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"{about}it must be one of {', '.join(each or '(empty)' for each in allowed)}"
    if declaration["Type"] == "Number":
        least, most = declaration.get("MinValue", 0), declaration.get("MaxValue", float("inf"))
        if not re.fullmatch(r"\d+", value) or not least <= int(value) <= most:
            return f"{about}it must be a number from {least} to {most}"
    elif not re.search(declaration.get("AllowedPattern", ""), value):
        return f"{about}{declaration.get('ConstraintDescription') or declaration['Description']}"
    return None


def _wrong_order(order: str) -> str | None:
    for entry in filter(None, order.split(",")):
        name, _, method = entry.partition(":")
        if name not in NAMES:
            return f"ProviderOrder: there is no provider {name}; there are {', '.join(NAMES)}"
        if ":" in entry and registry.route(name, method) is None:
            offered = ", ".join(f"{name}:{route.method}" for route in registry.manifest(name).routes)
            return f"ProviderOrder: there is no route {entry}; there are {offered}"
    return None


def chosen(described: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, str]:
    """Of a deployed stack, the parameters that somebody chose: those that differ from its own template's defaults.

    Those that this version does not have are left out.
    """
    was_default = defaults(template.get("Parameters", {}))
    return {
        each["ParameterKey"]: each["ParameterValue"]
        for each in described.get("Parameters", [])
        if each["ParameterValue"] != was_default.get(each["ParameterKey"]) and each["ParameterKey"] in declared()
    }


def text(value: object) -> str:
    """A value as CloudFormation takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
