"""What SAM makes of template.yaml: versions, the alias that requests reach, and how a deployment goes back."""

import os
import re
import tomllib
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from cfnlint.helpers import REGIONS  # type: ignore[import-untyped]
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]
from samcli.lib.providers.api_provider import ApiProvider  # type: ignore[import-untyped]
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider  # type: ignore[import-untyped]
from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

from tests.support.template import API, FUNCTIONS, PARAMETERS, RESOURCES, ROOT, TEMPLATE, TEXT, variables

# Read by API Gateway, DynamoDB, CloudWatch or SQS, or by CloudFormation alone: no function is given them.
NOT_FOR_FUNCTIONS = {
    "CertificateArn",
    "HostedZoneId",
    "ThrottleRate",
    "ThrottleBurst",
    "StartThrottleRate",
    "StartThrottleBurst",
    "StartConcurrency",
    "DeliveryConcurrency",
    "EventMaxDeliveries",
    "LogRetentionDays",
    "DeletionProtection",
    "DeploymentType",
    "UnverifiedAlarmPercent",
    "UnverifiedAlarmSeconds",
    "AlarmTopicArn",
}


def transformed(**parameters: str) -> dict[str, Any]:
    """The resources that CloudFormation is given, by logical id."""
    template = yaml_parse(TEXT)
    for resource in template["Resources"].values():
        for uri in ("CodeUri", "ContentUri"):
            if path := resource.get("Properties", {}).get(uri):
                resource["Properties"][uri] = f"s3://bucket/{path}"
    with mock.patch.dict(os.environ, AWS_DEFAULT_REGION="eu-central-1"):
        resources: dict[str, Any] = transform(template, parameters, SimpleNamespace(load=dict))["Resources"]
    return resources


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return transformed()


@pytest.fixture(scope="module")
def gradual() -> dict[str, Any]:
    return transformed(DeploymentType="Canary10Percent10Minutes")


def of_type(resources: dict[str, Any], resource_type: str) -> dict[str, Any]:
    return {name: resource for name, resource in resources.items() if resource["Type"] == resource_type}


def test_whatever_calls_a_function_calls_its_alias(plain: dict[str, Any]) -> None:
    aliases = of_type(plain, "AWS::Lambda::Alias")
    assert {alias["Properties"]["FunctionName"]["Ref"] for alias in aliases.values()} == FUNCTIONS.keys()
    for kind in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"):
        callers = of_type(plain, kind)
        assert callers
        for name, caller in callers.items():
            assert caller["Properties"]["FunctionName"]["Ref"] in aliases, name
    uris = re.findall(r"functions/(\$\{\w+\})", str(plain["Api"]["Properties"]["Body"]))
    assert {uri.strip("${}") for uri in uris} <= aliases.keys() | {"__FunctionArn__"}
    assert len(uris) > 10
    assert API["Auth"]["Authorizers"]["Bearer"]["FunctionArn"] == {"Sub": "${AuthorizeFunction.Arn}:live"}


def test_sam_local_finds_the_authorizer() -> None:
    stacks, _ = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"), parameter_overrides={})
    with mock.patch.dict(os.environ, AWS_DEFAULT_REGION="eu-central-1"):
        routes = ApiProvider(stacks, cwd=str(ROOT)).api.routes
    (route,) = [route for route in routes if route.path == "/verifications"]
    assert route.authorizer_name == "Bearer"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_change_makes_a_new_version(name: str, plain: dict[str, Any]) -> None:
    assert FUNCTIONS[name]["AutoPublishAliasAllProperties"] is True
    assert variables(name)["CONFIGURATION"] == {"Ref": "Configuration"}
    versions = of_type(plain, "AWS::Lambda::Version")
    (version,) = [each for each in versions.values() if each["Properties"]["FunctionName"] == {"Ref": name}]
    assert version["Properties"]["Description"] == {"Fn::Sub": "Configuration ${Configuration}"}
    assert version["DeletionPolicy"] == "Delete"


def test_the_configuration_holds_every_parameter_of_the_functions() -> None:
    lines = RESOURCES["Configuration"]["Properties"]["Content"]["Sub"].splitlines()
    assert all(re.fullmatch(r"(\w+)=\$\{(\w+)\}", line) for line in lines)
    *parameters, layer = [line.partition("=")[0] for line in lines]
    assert layer == "Layer"
    assert lines[-1] == "Layer=${CallverifyLayer}"
    assert parameters == [name for name in PARAMETERS if name not in NOT_FOR_FUNCTIONS]
    assert all(line == f"{name}=${{{name}}}" for name, line in zip(parameters, lines, strict=False))


def test_at_once_needs_no_codedeploy(plain: dict[str, Any]) -> None:
    assert not [name for name, resource in plain.items() if "CodeDeploy" in resource["Type"]]


def test_a_gradual_deployment_goes_back_by_the_functions_own_alarm(gradual: dict[str, Any]) -> None:
    groups = of_type(gradual, "AWS::CodeDeploy::DeploymentGroup")
    assert groups.keys() == {f"{name}DeploymentGroup" for name in FUNCTIONS}
    for name, group in groups.items():
        properties = group["Properties"]
        own = name.removesuffix("FunctionDeploymentGroup") + "ErrorsAlarm"
        # To Lambda, a credential that authorize refuses is an error too, and a sign-in that is over a limit.
        refusing = ("AuthorizeErrorsAlarm", "CognitoTriggersErrorsAlarm")
        wanted = {"ApiErrorsAlarm"} | ({own} if own not in refusing else set())
        assert {alarm["Name"]["Ref"] for alarm in properties["AlarmConfiguration"]["Alarms"]} == wanted
        assert wanted <= RESOURCES.keys()
        assert "DEPLOYMENT_STOP_ON_ALARM" in properties["AutoRollbackConfiguration"]["Events"]
        assert properties["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": "Canary10Percent10Minutes"}
    for alias in of_type(gradual, "AWS::Lambda::Alias").values():
        assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]


def named(arn: dict[str, Any]) -> str:
    """The resource of an ARN, which may depend on a condition."""
    match arn:
        case {"Fn::If": ["HasPush" | "HasCognito", then, {"Ref": "AWS::NoValue"}]}:
            return named(then)
    name, attribute = arn["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(name)


def test_codedeploy_may_move_our_aliases_and_read_our_alarms(gradual: dict[str, Any]) -> None:
    assert "CodeDeployServiceRole" not in gradual
    groups = of_type(gradual, "AWS::CodeDeploy::DeploymentGroup").values()
    assert all(group["Properties"]["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]} for group in groups)
    role = gradual["DeploymentRole"]["Properties"]
    assert "ManagedPolicyArns" not in role
    (policy,) = role["Policies"]
    aliases, alarms = policy["PolicyDocument"]["Statement"]
    assert aliases["Action"] == ["lambda:GetAlias", "lambda:UpdateAlias"]
    assert [named(arn) for arn in aliases["Resource"]] == [*FUNCTIONS]
    watched = {
        alarm["Name"]["Ref"] for group in groups for alarm in group["Properties"]["AlarmConfiguration"]["Alarms"]
    }
    assert alarms["Action"] == "cloudwatch:DescribeAlarms"
    assert {named(arn) for arn in alarms["Resource"]} == watched


def test_every_way_to_deploy_is_gradual_but_one() -> None:
    kinds = TEMPLATE["Mappings"]["Deployments"]
    assert list(kinds) == PARAMETERS["DeploymentType"]["AllowedValues"]
    assert [name for name, kind in kinds.items() if kind["Gradual"] != "true"] == ["AllAtOnce"]


def test_production_is_deployed_gradually_and_kept() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    given = dict(pair.split("=") for pair in config["prod"]["deploy"]["parameters"]["parameter_overrides"].split())
    assert given == {"DeploymentType": "Canary10Percent10Minutes", "DeletionProtection": "true"}
    for name in ("default", "dev", "prod"):
        assert config[name]["deploy"]["parameters"]["tags"] == "service=callverify"


def test_without_push_nothing_of_it_is_deployed(plain: dict[str, Any]) -> None:
    conditional = {name for name, resource in plain.items() if resource.get("Condition") == "HasPush"}
    assert conditional >= {"UpdatesApi", "UpdatesNamespace", "AuthorizeUpdatesFunction", "AuthorizeUpdatesLogGroup"}
    of_push = {name for name, resource in plain.items() if "Updates" in name or "AppSync" in resource["Type"]}
    assert of_push == conditional
    # What is there without push names what is not there only under the condition.
    rest = {name: resource for name, resource in plain.items() if name not in conditional}
    assert not unconditional(rest, "HasPush") & conditional


def test_without_a_user_pool_nothing_of_it_is_deployed_but_an_empty_log(plain: dict[str, Any]) -> None:
    of_pool = {name: each.get("Condition") for name, each in plain.items() if "Cognito" in name}
    assert of_pool.pop("CognitoTriggersLogGroup") is None
    with_pool = {name for name, condition in of_pool.items() if condition == "HasUserPool"}
    # While the pool is pending, it has no permission, and its accounts none of ours.
    assert with_pool == {"CognitoAccountsPolicy", "CognitoTriggersPermission"}
    function = {name for name, condition in of_pool.items() if condition == "HasCognito"}
    assert {"CognitoTriggersFunction", "CognitoTriggersFunctionRole", "CognitoTriggersFunctionAliaslive"} <= function
    assert of_pool.keys() == with_pool | function
    rest = {name: resource for name, resource in plain.items() if name not in of_pool}
    assert not unconditional(rest, "HasCognito") & of_pool.keys()
    assert not unconditional({name: plain[name] for name in function}, "HasUserPool") & with_pool


def unconditional(value: Any, condition: str) -> set[str]:
    """The resources that a part of the template refers to whether or not the condition holds."""
    match value:
        case {"Fn::If": [name, _, otherwise]} if name == condition:
            return unconditional(otherwise, condition)
        case {"Ref": name}:
            return {name}
        case {"Fn::GetAtt": [name, _]}:
            return {name}
        case {"Fn::Sub": [str(text), dict(given)]}:
            inside = unconditional({"Fn::Sub": text}, condition) - given.keys()
            return inside | unconditional(given, condition)
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{(\w+)", text))
        case dict():
            return {name for part in value.values() for name in unconditional(part, condition)}
        case list():
            return {name for part in value for name in unconditional(part, condition)}
    return set()


def test_a_region_without_appsync_is_refused_with_a_hint() -> None:
    rule = TEMPLATE["Rules"]["PushHasAppSync"]
    assert rule["RuleCondition"] == {"Equals": [{"Ref": "PushUpdates"}, "true"]}
    (assertion,) = rule["Assertions"]
    ((regions, region),) = [each["Contains"] for each in assertion["Assert"]["Not"]]
    assert region == {"Ref": "AWS::Region"}
    without = {name for name in REGIONS if "AWS::AppSync::Api" not in PROVIDER_SCHEMA_MANAGER.get_resource_types(name)}
    assert set(regions) == without
    assert "PushUpdates=false" in assertion["AssertDescription"]


def test_what_stands_once_in_the_template_is_whole_where_it_is_used(plain: dict[str, Any]) -> None:
    """SAM changes what it reads in place: what several resources share must come out alike for each."""
    assert "<<" not in str(plain)
    responses = plain["Api"]["Properties"]["Body"]["x-amazon-apigateway-gateway-responses"]
    assert responses.keys() == API["GatewayResponses"].keys()
    for name, response in responses.items():
        wanted = {
            f"gatewayresponse.header.{header}"
            for header in API["GatewayResponses"][name]["ResponseParameters"]["Headers"]
        }
        assert response["responseParameters"].keys() == wanted, name
    for name in FUNCTIONS:
        given = plain[name]["Properties"]["Environment"]["Variables"]
        assert given.keys() == variables(name).keys()
        assert given["POWERTOOLS_SERVICE_NAME"] == FUNCTIONS[name]["CodeUri"].split("/")[1].replace("_", "-")


def test_bodies_are_judged_by_the_service(plain: dict[str, Any]) -> None:
    """The gateway asks for an object, where the service would refuse anything else; and nothing of a webhook."""
    body = plain["Api"]["Properties"]["Body"]
    assert body["components"]["schemas"] == {"jsonobject": {"type": "object"}}
    asked = {path for path, item in body["paths"].items() if "requestBody" in item.get("post", {})}
    # A repeat needs no body.
    assert asked == {
        "/erasures",
        "/verifications",
        "/verifications/search",
        "/verifications/{id}/check",
        "/verifications/{id}/switch",
    }
    for path in asked:
        assert list(body["paths"][path]["post"]["requestBody"]["content"]) == ["application/json"]
