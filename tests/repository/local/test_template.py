"""What the local stack waits for is what the template deploys."""

import re
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

from local.build import ROOT
from local.template import Route, background_functions, routes


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """As `sam build` reads it."""
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


def functions(template: dict[str, Any]) -> set[str]:
    return {name for name, each in template["Resources"].items() if each["Type"] == "AWS::Serverless::Function"}


def test_every_path_of_the_template_is_asked(template: dict[str, Any]) -> None:
    written = re.findall(r"^ +Path: (/.*)$", (ROOT / "template.yaml").read_text(), re.MULTILINE)
    found = routes(template)
    assert len(found) == len(written) > 10
    assert not [route.path for route in found if "{" in route.path or "+" in route.path]
    assert {Route("POST", "/verifications", is_open=False), Route("GET", "/page", is_open=True)} <= {*found}


def test_every_function_is_reached_by_a_route_or_takes_batches_or_authorizes(template: dict[str, Any]) -> None:
    routed = {name for name in functions(template) if template["Resources"][name]["Properties"].get("Events")}
    background = {*background_functions(template)}
    assert background
    assert not routed & background
    (authorizer,) = functions(template) - routed - background
    assert authorizer in str(template["Resources"]["Api"]["Properties"]["Auth"])
