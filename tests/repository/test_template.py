"""What template.yaml promises to callers and operators, and what it lets each function do."""

import ast
import json
import re
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest
import yaml
from phonenumbers.phonenumberutil import SUPPORTED_REGIONS

from callverify import aws
from callverify.access import CLIENT_TOKEN_ROUTES, SLOW_SECONDS
from callverify.delivery import DELIVERY_SECONDS, backoff
from callverify.models import ProviderName
from callverify.service import READ_BACK_SECONDS, TAKE_OVER_AFTER_SECONDS, VENDOR_SECONDS
from tests.unit.test_origins import NO_ORIGINS, ORIGINS

ROOT = Path(__file__).resolve().parents[2]


class TemplateLoader(yaml.SafeLoader):
    """Reads `!Ref X` as {"Ref": "X"}, and the other tags alike."""


def _construct(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    raise TypeError(node)


TemplateLoader.add_multi_constructor("!", _construct)
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), TemplateLoader)
PARAMETERS = TEMPLATE["Parameters"]
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
API = RESOURCES["Api"]["Properties"]
TABLE = RESOURCES["Table"]["Properties"]
# Functions that serve their own files alone.
STATIC = {"ServePageFunction", "ServeDocsFunction"}

DEFAULTS = {
    "ProviderOrder": "telefon_ip,smsc,ucaller",
    "AllowedCountries": "RU",
    "DefaultCountry": "RU",
    "RetentionHours": 24,
    "TelefonIpWindowSeconds": 120,
    "UcallerWindowSeconds": 300,
    "SmscWindowSeconds": 300,
    "TelefonIpStart": "post",
    "PhoneCooldownSeconds": 20,
    "PhoneTenMinuteLimit": 5,
    "IpTenMinuteLimit": 20,
    "BrowserTenMinuteLimit": 60,
    "IpBlockTenMinuteLimit": 30,
    "IpRefusedTenMinuteLimit": 5,
    "PhoneDayLimit": 15,
    "PrefixTenMinuteLimit": 30,
    "KeyPaidDayLimit": 1000,
    "StackPaidHourLimit": 2000,
    "KeyFreeHourLimit": 20000,
    "KeyRefusedHourLimit": 300,
    "VerificationGuessLimit": 5,
    "PhoneGuessLimit": 9,
    "LogLevel": "INFO",
    "SecretCacheSeconds": 240,
    "Architecture": "arm64",
    "PublicBaseUrl": "",
    "UcallerBaseUrl": "https://api.ucaller.ru",
    "TelefonIpBaseUrl": "https://api.telefon-ip.ru",
    "SmscBaseUrl": "https://smsc.ru",
    "AllowedOrigins": "",
    "ReturnOrigins": "",
}
MAXIMA = {
    "PhoneTenMinuteLimit": 100,
    "IpTenMinuteLimit": 1000,
    "IpBlockTenMinuteLimit": 1000,
    "IpRefusedTenMinuteLimit": 1000,
    "PhoneDayLimit": 100,
    "PrefixTenMinuteLimit": 1000,
    "KeyPaidDayLimit": 1000000,
    "StackPaidHourLimit": 1000000,
    "KeyFreeHourLimit": 1000000,
    "KeyRefusedHourLimit": 1000000,
    "TelefonIpWindowSeconds": 120,
    "UcallerWindowSeconds": 300,
    "SmscWindowSeconds": 900,
    "SecretCacheSeconds": 240,
    "VerificationGuessLimit": 5,
    "PhoneGuessLimit": 9,
}


def counted_metrics() -> set[str]:
    """The first argument of every call that counts: `….count("Started")`, `_count_webhook("LateWebhooks")`."""
    found = set()
    for path in (ROOT / "layers/callverify/callverify").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                counts = node.func.attr in ("count", "measure", "_count_webhook", "_count_end")
                if counts and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return {name for name in found if re.fullmatch(r"[A-Z]\w+", name)}


def statements(function: dict[str, Any]) -> list[dict[str, Any]]:
    return [statement for policy in function["Policies"] for statement in policy["Statement"]]


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_parameters_have_the_promised_defaults() -> None:
    assert {name: PARAMETERS[name]["Default"] for name in DEFAULTS} == DEFAULTS


def test_parameters_stop_at_the_vendors_and_our_own_maxima() -> None:
    assert {name: PARAMETERS[name]["MaxValue"] for name in MAXIMA} == MAXIMA


def test_every_parameter_is_described_and_used() -> None:
    text = (ROOT / "template.yaml").read_text()
    for name, parameter in PARAMETERS.items():
        assert parameter.get("Description"), name
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text), name


@pytest.mark.parametrize("name", ["UcallerBaseUrl", "TelefonIpBaseUrl", "SmscBaseUrl", "PublicBaseUrl"])
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example.com", True),
        ("https://api.example.com:8443/v1/stage", True),
        ("http://127.0.0.1:4600/ucaller", True),
        ("http://localhost:4600", True),
        ("http://172.17.0.1:4600/smsc", True),
        ("http://host.docker.internal:4600/smsc", True),
        ("http://api.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("https://api..example.com", False),
        ("https://-api.example.com", False),
        ("https://.", False),
        ("https://api.example.com/v1/", False),
        ("http://localhost@example.com", False),
        ("https://user:password@example.com", False),
        ("https://api.example.com/", False),
        ("https://api.example.com/?key=1", False),
        ("ftp://api.example.com", False),
    ],
)
def test_base_urls_are_https_but_on_this_machine(name: str, url: str, allowed: bool) -> None:
    assert bool(re.fullmatch(PARAMETERS[name]["AllowedPattern"], url)) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("", True),
        ("https://shop.example.com/events", True),
        ("https://shop.example.com:8443/events?of=calls&x=1", True),
        ("https://shop.example.com?of=calls", True),
        ("http://127.0.0.1:5000/events", True),
        ("http://172.17.0.1:5000/events", True),
        ("http://shop.example.com/events", False),
        ("http://10.0.0.1/events", False),
        ("http://localhost.example.com/events", False),
        ("http://localhost@example.com/events", False),
        ("https://user:password@example.com/events", False),
        ("https:///events", False),
        ("https://shop.example.com/ev ents", False),
        ("HTTP://shop.example.com/events", False),
        ("ftp://shop.example.com/events", False),
    ],
)
def test_events_go_over_https_but_on_this_machine(url: str, allowed: bool) -> None:
    assert bool(re.fullmatch(PARAMETERS["EventWebhookUrl"]["AllowedPattern"], url)) is allowed


def test_a_provider_that_there_is_not_is_not_deployed() -> None:
    pattern = PARAMETERS["ProviderOrder"]["AllowedPattern"]
    assert re.fullmatch(pattern, ",".join(ProviderName))
    assert [
        order for order in [*ProviderName, PARAMETERS["ProviderOrder"]["Default"]] if not re.fullmatch(pattern, order)
    ] == []
    wrong = [
        "",
        "ucaler",
        "telefon-ip",
        "UCALLER",
        "smsc,",
        "smsc,,ucaller",
        "smsc, ucaller",
        "smsc,twilo",
        "smscucaller",
    ]
    assert [order for order in wrong if re.fullmatch(pattern, order)] == []


@pytest.mark.parametrize("name", ["AllowedCountries", "DefaultCountry"])
def test_a_country_without_numbers_is_not_deployed(name: str) -> None:
    pattern = PARAMETERS[name]["AllowedPattern"]
    every = {first + second for first in ascii_uppercase for second in ascii_uppercase}
    assert {country for country in every if re.fullmatch(pattern, country)} == set(SUPPORTED_REGIONS)
    assert bool(re.fullmatch(pattern, "RU,KZ,VN")) is (name == "AllowedCountries")
    assert [
        country for country in ("", "ru", "RUS", "RU,UK", "RU,", "RU KZ", "+7") if re.fullmatch(pattern, country)
    ] == []


def test_an_event_reaches_the_dead_letters_with_half_of_their_time_left() -> None:
    """SQS counts a message's age from when it was first sent, in the dead-letter queue too."""
    most = PARAMETERS["EventMaxDeliveries"]["MaxValue"]
    slowest = PARAMETERS["EventRetryBaseSeconds"]["MaxValue"]
    waits = sum(backoff(received, base=slowest, jitter=lambda _, longest: longest) for received in range(1, most))
    retention = RESOURCES["DeliveryQueue"]["Properties"]["MessageRetentionPeriod"]
    assert retention == RESOURCES["DeliveryDeadLetterQueue"]["Properties"]["MessageRetentionPeriod"]
    assert waits + most * RESOURCES["DeliveryQueue"]["Properties"]["VisibilityTimeout"] <= retention / 2


@pytest.mark.parametrize("name", ["DomainName", "CertificateArn", "HostedZoneId"])
def test_no_part_of_a_domain_is_given_for_nothing(name: str) -> None:
    """Whoever gives one of the three without what it needs is told at the deployment."""
    needed = {"DomainName": "CertificateArn", "CertificateArn": "DomainName", "HostedZoneId": "DomainName"}[name]
    given = {"Not": [{"Equals": [{"Ref": name}, ""]}]}
    (rule,) = [rule for rule in TEMPLATE["Rules"].values() if rule["RuleCondition"] == given]
    assert [one["Assert"] for one in rule["Assertions"]] == [{"Not": [{"Equals": [{"Ref": needed}, ""]}]}]


@pytest.mark.parametrize("name", ["AllowedOrigins", "ReturnOrigins"])
def test_an_origin_that_can_never_be_met_is_not_deployed(name: str) -> None:
    def taken(origins: str) -> bool:
        return re.fullmatch(PARAMETERS[name]["AllowedPattern"], origins) is not None

    web = [origin for origin in ORIGINS if origin.lower().startswith("http")]
    apps = [origin for origin in ORIGINS if origin not in web]
    assert taken("")
    assert taken(",".join(web))
    assert [origin for origin in web if not taken(origin)] == []
    # A return_url is the web's.
    assert [origin for origin in apps if taken(origin) is (name == "ReturnOrigins")] == []
    assert [origin for origin in NO_ORIGINS if taken(origin) or taken(f"https://shop.example,{origin}")] == []
    assert not taken("https://shop.example,")


def test_a_folder_for_every_function() -> None:
    folders = {f"functions/{path.parent.name}/" for path in (ROOT / "functions").glob("*/app.py")}
    assert {function["CodeUri"] for function in FUNCTIONS.values()} == folders


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_logs_into_a_group_that_forgets(name: str) -> None:
    group = RESOURCES[FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("name", sorted(STATIC))
def test_what_serves_files_may_do_nothing(name: str) -> None:
    assert "Policies" not in FUNCTIONS[name]


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - STATIC))
def test_function_may_do_named_things_to_named_things(name: str) -> None:
    assert statements(FUNCTIONS[name])
    for statement in statements(FUNCTIONS[name]):
        assert all(isinstance(action, str) and "*" not in action for action in as_list(statement["Action"]))
        assert all(isinstance(resource, dict) for resource in as_list(statement["Resource"]))
        assert "*" not in json.dumps(statement["Resource"])


def test_the_authorizer_reads_two_secrets_and_the_peppers_fingerprint() -> None:
    secrets, table = statements(FUNCTIONS["AuthorizeFunction"])
    assert secrets["Action"] == "secretsmanager:GetSecretValue"
    assert secrets["Resource"] == [{"Ref": "PepperSecret"}, {"Ref": "ApiKeysSecret"}]
    assert table["Action"] == ["dynamodb:GetItem", "dynamodb:PutItem"]
    assert table["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["pepper"]}}


def test_what_publishes_events_writes_no_other_items() -> None:
    """The embedded AWS judges no policy."""
    allowed = {
        action: statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for statement in statements(FUNCTIONS["PublishEventFunction"])
        if statement["Resource"] == {"GetAtt": "Table.Arn"}
        for action in as_list(statement["Action"])
    }
    assert allowed == {
        "dynamodb:GetItem": ["event*", "pepper"],
        "dynamodb:PutItem": ["event*"],
        "dynamodb:UpdateItem": ["event*"],
    }


def test_functions_do_to_the_table_what_they_use_alone() -> None:
    """That it is enough is shown by tests/service, which judge each request by it: see tests/support/policies."""
    everyone = {"GetItem", "PutItem", "UpdateItem", "DeleteItem"}
    allowed = {
        name: {action.removeprefix("dynamodb:") for each in found for action in as_list(each["Action"])}
        for name in FUNCTIONS.keys() - STATIC
        if (found := [each for each in statements(FUNCTIONS[name]) if each["Resource"] == {"GetAtt": "Table.Arn"}])
    }
    assert allowed == {
        "AuthorizeFunction": {"GetItem", "PutItem"},
        # Checked are limits that are not counted: of starts, and of a browser that sends codes.
        "StartVerificationFunction": everyone | {"ConditionCheckItem"},
        "CheckStatusFunction": everyone | {"ConditionCheckItem", "BatchGetItem"},
        "ReceiveWebhookFunction": everyone,
        "SettleVerificationFunction": everyone,
        "PublishEventFunction": {"GetItem", "PutItem", "UpdateItem"},
    }


def test_what_reads_the_stream_can_put_a_record_aside() -> None:
    """What is aside comes again a few times, then lies with the dead letters, under an alarm."""
    for name, variable in (
        ("PublishEventFunction", "REPUBLISH_QUEUE_URL"),
        ("ScheduleSettlementFunction", "STREAM_DEAD_LETTER_QUEUE_URL"),
    ):
        queue = FUNCTIONS[name]["Environment"]["Variables"][variable]["Ref"]
        sends = [each for each in statements(FUNCTIONS[name]) if "sqs:SendMessage" in as_list(each["Action"])]
        assert {"GetAtt": f"{queue}.Arn"} in [resource for each in sends for resource in as_list(each["Resource"])]
    assert RESOURCES["RepublishMapping"]["Properties"]["FunctionName"] == {"Ref": "PublishEventFunction.Alias"}
    redrive = RESOURCES["RepublishQueue"]["Properties"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"GetAtt": "RepublishDeadLetterQueue.Arn"}
    (dimension,) = RESOURCES["RepublishDeadLettersAlarm"]["Properties"]["Dimensions"]
    assert dimension["Value"] == {"GetAtt": "RepublishDeadLetterQueue.QueueName"}


# Seconds that a function works besides, at the longest, and how many requests to a silent AWS have to fit in as well.
WORK: dict[str, tuple[float, int]] = {
    # A client token in a new container: pepper and fingerprint. An API key: one slow read (SLOW_SECONDS), then another.
    "AuthorizeFunction": (0.1, 2),
    # Vendors, and the write of their answer.
    "StartVerificationFunction": (VENDOR_SECONDS, 1),
    "CheckStatusFunction": (READ_BACK_SECONDS, 1),
    "ReceiveWebhookFunction": (READ_BACK_SECONDS, 1),
    "SettleVerificationFunction": (READ_BACK_SECONDS, 1),
    # The secret before, and the queue after.
    "DeliverEventFunction": (DELIVERY_SECONDS, 2),
    "PublishEventFunction": (0.1, 2),
    "ScheduleSettlementFunction": (0.1, 2),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - STATIC))
def test_a_function_outlives_a_silent_aws(name: str) -> None:
    """Else Lambda would end it, and the caller would learn nothing: 502 in place of `busy`."""
    work, requests = WORK[name]
    config: Any = aws._CONFIG
    longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) + 1
    assert longest == aws.LONGEST_SECONDS
    assert longest > SLOW_SECONDS
    timeout = FUNCTIONS[name].get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
    assert work + requests * longest < timeout


def test_the_look_up_of_a_name_leaves_time_for_vendors() -> None:
    """It is the one wait that no deadline of ours reaches."""
    options = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["RES_OPTIONS"]
    seconds, attempts = re.fullmatch(r"timeout:(\d) attempts:(\d)", options).groups()  # type: ignore[union-attr]
    assert int(seconds) * int(attempts) <= VENDOR_SECONDS / len(ProviderName)


def test_a_process_has_ended_when_another_takes_over() -> None:
    assert TEMPLATE["Globals"]["Function"]["Timeout"] <= TAKE_OVER_AFTER_SECONDS
    assert "Timeout" not in FUNCTIONS["StartVerificationFunction"]


def test_a_message_is_hidden_for_as_long_as_a_function_works_on_it() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping" and "Queue" in str(resource["Properties"]):
            queue = resource["Properties"]["EventSourceArn"]["GetAtt"].partition(".")[0]
            function = FUNCTIONS.get(resource["Properties"]["FunctionName"]["Ref"].partition(".")[0], {})
            timeout = function.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
            if queue in RESOURCES and RESOURCES[queue]["Type"] == "AWS::SQS::Queue":
                assert RESOURCES[queue]["Properties"]["VisibilityTimeout"] >= 3 * timeout, name


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"AuthorizeFunction"}))
def test_nobody_else_reads_the_api_keys(name: str) -> None:
    assert "ApiKeysSecret" not in json.dumps(FUNCTIONS[name])


def test_the_template_sets_what_wiring_reads() -> None:
    wiring = (ROOT / "layers/callverify/callverify/wiring.py").read_text()
    read = set(re.findall(r'(?:environ(?:\.get\(|\[)|_number\(|_secret\(|words\()"([A-Z0-9_]+)"', wiring))
    variables = set(TEMPLATE["Globals"]["Function"]["Environment"]["Variables"])
    for function in FUNCTIONS.values():
        variables |= set(function["Environment"]["Variables"])
    assert len(read) > 10
    assert read <= variables


def test_tracing_is_on_for_functions_and_off_for_the_stage() -> None:
    assert TEMPLATE["Globals"]["Function"]["Tracing"] == "Active"
    assert API["TracingEnabled"] is False


def test_access_logs_hold_no_path() -> None:
    log_format = json.loads(API["AccessLogSetting"]["Format"])
    assert log_format["resource"] == "$context.resourcePath"
    assert not {"$context.path", "$context.customDomain.basePathMatched"} & set(log_format.values())


def test_only_webhooks_the_page_the_documents_and_preflights_are_open() -> None:
    assert API["Auth"]["DefaultAuthorizer"] == "Bearer"
    assert API["Auth"]["Authorizers"]["Bearer"]["Identity"] == {"Header": "Authorization", "ReauthorizeEvery": 60}
    for function in FUNCTIONS.values():
        for event in function.get("Events", {}).values():
            route = event["Properties"]
            is_open = route.get("Auth", {}).get("Authorizer") == "NONE"
            open_path = route["Path"].startswith(("/webhooks/", "/page")) or route["Path"] in ("/openapi.json", "/docs")
            assert is_open is (open_path or route["Method"] == "options"), route


def test_browsers_may_ask_before_exactly_what_a_client_token_opens() -> None:
    routes = [event["Properties"] for function in FUNCTIONS.values() for event in function.get("Events", {}).values()]
    preflights = {route["Path"] for route in routes if route.get("Method") == "options"}
    assert preflights == {route.partition("/")[1] + route.partition("/")[2] for route in CLIENT_TOKEN_ROUTES}


def test_starts_are_throttled_apart() -> None:
    settings = {(setting["ResourcePath"], setting["HttpMethod"]): setting for setting in API["MethodSettings"]}
    assert settings["/*", "*"]["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
    assert settings["/~1verifications", "POST"]["ThrottlingRateLimit"] == {"Ref": "StartThrottleRate"}
    assert PARAMETERS["StartThrottleRate"]["Default"] < PARAMETERS["ThrottleRate"]["Default"]


CODES = {
    "UNAUTHORIZED": (401, "unauthorized"),
    "ACCESS_DENIED": (403, "forbidden"),
    "WAF_FILTERED": (429, "rate_limited"),
    "MISSING_AUTHENTICATION_TOKEN": (404, "not_found"),
    "RESOURCE_NOT_FOUND": (404, "not_found"),
    "REQUEST_TOO_LARGE": (413, "invalid_request"),
    "THROTTLED": (429, "rate_limited"),
    "QUOTA_EXCEEDED": (429, "rate_limited"),
    "DEFAULT_4XX": (400, "invalid_request"),
    "AUTHORIZER_FAILURE": (503, "busy"),
    "AUTHORIZER_CONFIGURATION_ERROR": (503, "busy"),
    "DEFAULT_5XX": (500, "internal_error"),
}


def problem(response: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(response["ResponseTemplates"]["application/json"])
    return loaded


@pytest.mark.parametrize("name", API["GatewayResponses"])
def test_the_gateways_own_answers_are_problems(name: str) -> None:
    response = API["GatewayResponses"][name]
    assert response["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"
    assert response["ResponseParameters"]["Headers"]["Strict-Transport-Security"] == "'max-age=31536000'"
    body = problem(response)
    assert body.keys() >= {"type", "title", "status", "code", "detail", "request_id"}
    assert body["status"] == response["StatusCode"]
    assert body["request_id"] == "$context.requestId"


@pytest.mark.parametrize("name", CODES)
def test_the_gateways_own_answers_have_the_promised_codes(name: str) -> None:
    body = problem(API["GatewayResponses"][name])
    assert (body["status"], body["code"]) == CODES[name]


@pytest.mark.parametrize(
    ("name", "limit", "wait"),
    [
        ("THROTTLED", "gateway_throttle", 1),
        ("QUOTA_EXCEEDED", "gateway_throttle", 1),
        # Not 403: the page, and every client, takes that for the end of its credential.
        ("WAF_FILTERED", "firewall", 30),
    ],
)
def test_a_throttled_caller_learns_when_to_come_back(name: str, limit: str, wait: int) -> None:
    response = API["GatewayResponses"][name]
    assert response["ResponseParameters"]["Headers"]["Retry-After"] == f"'{wait}'"
    assert problem(response)["limit"] == limit
    assert problem(response)["retry_after"] == wait


def test_table() -> None:
    assert TABLE["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert TABLE["BillingMode"] == "PAY_PER_REQUEST"
    assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert TABLE["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert TABLE["SSESpecification"] == {"SSEEnabled": True}
    assert TABLE["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_data_outlives_a_mistake() -> None:
    assert RESOURCES["Table"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["Table"]["UpdateReplacePolicy"] == "Retain"


NAMESPACE = "callverify/${AWS::StackName}"
ALARMS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def test_alarms_watch_what_is_counted() -> None:
    watched = {alarm["MetricName"] for alarm in ALARMS.values() if alarm["Namespace"] == {"Sub": NAMESPACE}}
    assert "ConfigurationFaults" in watched
    assert watched <= counted_metrics()


@pytest.mark.parametrize("kind", ["Down", "NoMoney", "Conversion"])
def test_each_provider_has_its_alarms(kind: str) -> None:
    watched = [alarm for name, alarm in ALARMS.items() if name.endswith(f"{kind}Alarm")]
    providers = [d["Value"] for alarm in watched for d in alarm["Dimensions"] if d["Name"] == "provider"]
    assert sorted(providers) == sorted(ProviderName)


def test_the_dashboard_shows_every_metric_alarm_and_function() -> None:
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    shown: set[str] = set()
    alarms: set[str] = set()
    for widget in json.loads(body)["widgets"]:
        alarms |= {arn.removeprefix("${").removesuffix(".Arn}") for arn in widget["properties"].get("alarms", ())}
        for metric in widget["properties"].get("metrics", ()):
            if metric[0] == NAMESPACE:
                shown.add(metric[1])
            elif isinstance(metric[0], dict):
                shown |= set(re.findall(r'MetricName="(\w+)"', metric[0]["expression"]))
    assert shown == counted_metrics()
    assert alarms == ALARMS.keys()
    assert set(re.findall(r'"\$\{(\w+Function)\}"', body)) == FUNCTIONS.keys()
    groups = {f["LoggingConfig"]["LogGroup"]["Ref"] for f in FUNCTIONS.values()}
    assert {RESOURCES[group]["Properties"]["LogGroupName"]["Sub"] for group in groups} == set(
        re.findall(r"SOURCE '([^']+)'", body)
    )
