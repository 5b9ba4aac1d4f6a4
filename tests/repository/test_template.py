"""What template.yaml promises to callers and operators, and what it lets each function do."""

import ast
import json
import re
from string import ascii_uppercase
from typing import Any, get_args

import pytest
from phonenumbers.phonenumberutil import SUPPORTED_REGIONS

from callverify import aws
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.words import Method, Unit
from callverify.edge.access import CLIENT_TOKEN_ROUTES, SLOW_SECONDS
from callverify.events.deliver import DELIVERY_SECONDS, backoff
from callverify.events.telemetry import SETS
from callverify.events.updates import FAILING_SECONDS, PUBLISH_SECONDS
from callverify.providers.names import NAMES
from callverify.service.dial import LEAST_SECONDS
from callverify.service.read_back import READ_BACK_SECONDS
from callverify.service.steps import TAKE_OVER_AFTER_SECONDS
from local.trim import OPERATIONS
from tests.support.origins import NO_ORIGINS, ORIGINS
from tests.support.template import (
    API,
    FUNCTIONS,
    GLOBALS,
    INDEX_TABLE,
    PARAMETERS,
    RESOURCES,
    ROOT,
    TABLE,
    TEMPLATE,
    TEXT,
    as_list,
    environment,
    own,
    resolve,
    routes,
    statements,
    variables,
)

# Functions that serve their own files alone.
STATIC = {"ServePageFunction", "ServeDocsFunction"}

DEFAULTS = {
    "ProviderOrder": "telefon_ip,sms_ru,smsc,ucaller,new_tel,twilio",
    "AllowedCountries": "RU",
    "DefaultCountry": "RU",
    "RetentionHours": 24,
    "EventRetentionHours": "",
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
    "CountryPaidHourLimit": 100,
    "CognitoPaidDayLimit": 200,
    "KeyFreeHourLimit": 20000,
    "KeyRefusedHourLimit": 300,
    "KeySearchDayLimit": 1000,
    "KeyErasureDayLimit": 1000,
    "VerificationGuessLimit": 5,
    "PhoneGuessLimit": 9,
    "LogLevel": "INFO",
    "Tracing": "Active",
    "SecretCacheSeconds": 240,
    "Architecture": "arm64",
    "PublicBaseUrl": "",
    "PushUpdates": "true",
    "AllowedOrigins": "",
    "ReturnOrigins": "",
    "BrandName": "",
    "BrandColor": "",
    "BrandLogoUrl": "",
    "SupportUrl": "",
    "Brands": "",
    "CognitoUserPoolArn": "",
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
    "CountryPaidHourLimit": 1000000,
    "CognitoPaidDayLimit": 1000000,
    "KeyFreeHourLimit": 1000000,
    "KeyRefusedHourLimit": 1000000,
    "KeySearchDayLimit": 1000000,
    "KeyErasureDayLimit": 1000000,
    "SecretCacheSeconds": 240,
    "VerificationGuessLimit": 5,
    "PhoneGuessLimit": 9,
}


def counted_metrics() -> set[str]:
    """What any call counts: `….count("Started", …)`, `_count(lane, line, "LateWebhooks")`."""
    found = set()
    for path in (ROOT / "layers/callverify/callverify").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in ("count", "measure", "_count", "count_end"):
                    found |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    return {name for name in found if isinstance(name, str) and re.fullmatch(r"[A-Z]\w+", name)} - set(get_args(Unit))


def test_parameters_have_the_promised_defaults() -> None:
    assert {name: PARAMETERS[name]["Default"] for name in DEFAULTS} == DEFAULTS


def test_parameters_stop_at_the_vendors_and_our_own_maxima() -> None:
    assert {name: PARAMETERS[name]["MaxValue"] for name in MAXIMA} == MAXIMA


def test_every_parameter_is_described_and_used() -> None:
    for name, parameter in PARAMETERS.items():
        assert parameter.get("Description"), name
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", TEXT), name


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example.com", True),
        ("https://api.example.com:8443/v1/stage", True),
        ("http://127.0.0.1:4600/v1", True),
        ("http://localhost:4600", True),
        ("http://172.17.0.1:4600/v1", True),
        ("http://host.docker.internal:4600/v1", True),
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
def test_the_base_url_is_https_but_on_this_machine(url: str, allowed: bool) -> None:
    assert bool(re.fullmatch(PARAMETERS["PublicBaseUrl"]["AllowedPattern"], url)) is allowed


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


def test_the_order_of_providers_is_a_list_of_names() -> None:
    """Which names there are is for `callverify deploy` to say: see cli/test_deploy.py."""
    pattern = PARAMETERS["ProviderOrder"]["AllowedPattern"]
    orders = [*NAMES, ",".join(NAMES), PARAMETERS["ProviderOrder"]["Default"]]
    assert [order for order in orders if not re.fullmatch(pattern, order)] == []
    wrong = ["", "A_VENDOR", "a-vendor", "a_vendor,", "a_vendor,,another", "a_vendor, another", "1st_vendor", "_vendor"]
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


@pytest.mark.parametrize(
    ("arn", "allowed"),
    [
        ("", True),
        ("pending", True),
        ("arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEf123", True),
        ("arn:aws:cognito-idp:eu-central-1:123456789012:userpool/*", False),
        ("arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEf123,pending", False),
        ("eu-central-1_AbCdEf123", False),
    ],
)
def test_triggers_are_for_one_named_pool(arn: str, allowed: bool) -> None:
    assert bool(re.fullmatch(PARAMETERS["CognitoUserPoolArn"]["AllowedPattern"], arn)) is allowed


def test_a_pool_may_call_its_triggers_alone_and_they_its_accounts_alone() -> None:
    permission = RESOURCES["CognitoTriggersPermission"]["Properties"]
    assert permission["SourceArn"] == {"Ref": "CognitoUserPoolArn"}
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}
    (accounts,) = RESOURCES["CognitoAccountsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert accounts["Resource"] == {"Ref": "CognitoUserPoolArn"}
    operations = {f"cognito-idp:{name}" for name in OPERATIONS["cognito-idp"]}
    assert {*accounts["Action"]} == operations


@pytest.mark.parametrize("name", ["DomainName", "CertificateArn", "HostedZoneId"])
def test_no_part_of_a_domain_is_given_for_nothing(name: str) -> None:
    """One of the three without what it needs is refused at the deployment."""
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


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "ServePageFunction"])
def test_what_knows_where_to_publish_updates_may(name: str) -> None:
    actions = {action for each in statements(FUNCTIONS[name]) for action in as_list(each["Action"])}
    assert ("UPDATES_HOST" in variables(name)) == ("appsync:EventPublish" in actions)


def test_the_authorizer_of_updates_reads_the_pepper_alone() -> None:
    (secret,) = statements(FUNCTIONS["AuthorizeUpdatesFunction"])
    assert (secret["Action"], secret["Resource"]) == ("secretsmanager:GetSecretValue", {"Ref": "PepperSecret"})


def test_what_publishes_events_writes_no_other_items() -> None:
    """The embedded AWS judges no policy."""
    allowed = {
        action: statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for statement in statements(FUNCTIONS["PublishEventFunction"])
        if statement["Resource"] == {"GetAtt": "Table.Arn"}
        for action in as_list(statement["Action"])
    }
    assert allowed == {
        "dynamodb:GetItem": ["event*", "verification#*", "pepper"],
        "dynamodb:PutItem": ["event*"],
        "dynamodb:UpdateItem": ["event*"],
    }


def test_functions_do_to_the_index_what_they_use_alone() -> None:
    allowed = {
        name: [action for each in found for action in as_list(each["Action"])]
        for name in FUNCTIONS.keys() - STATIC
        if (found := [each for each in statements(FUNCTIONS[name]) if each["Resource"] == {"GetAtt": "IndexTable.Arn"}])
    }
    assert allowed == {
        "CheckStatusFunction": ["dynamodb:Query"],
        "ManageRecordsFunction": ["dynamodb:Query"],
        "PublishEventFunction": ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
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
        "ManageRecordsFunction": everyone,
        # Whether a verification is erased.
        "DeliverEventFunction": {"GetItem"},
        "TwilioVerifyFunction": everyone | {"ConditionCheckItem"},
        "FollowUpFunction": everyone,
        "CognitoTriggersFunction": everyone | {"ConditionCheckItem"},
        "PublishEventFunction": {"GetItem", "PutItem", "UpdateItem"},
    }


def test_what_reads_the_stream_can_put_a_record_aside() -> None:
    """What is aside comes again a few times, then lies with the dead letters, under an alarm."""
    for name, variable in (
        ("PublishEventFunction", "REPUBLISH_QUEUE_URL"),
        ("ScheduleFollowUpFunction", "STREAM_DEAD_LETTER_QUEUE_URL"),
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
    # The pepper.
    "AuthorizeUpdatesFunction": (0.1, 1),
    # Vendors, and the write of their answer.
    "StartVerificationFunction": (VENDOR_SECONDS, 1),
    "TwilioVerifyFunction": (VENDOR_SECONDS, 1),
    "CognitoTriggersFunction": (VENDOR_SECONDS, 1),
    "CheckStatusFunction": (READ_BACK_SECONDS, 1),
    "ManageRecordsFunction": (PUBLISH_SECONDS, 1),
    "ReceiveWebhookFunction": (READ_BACK_SECONDS + PUBLISH_SECONDS, 1),
    "FollowUpFunction": (READ_BACK_SECONDS + PUBLISH_SECONDS, 1),
    # The secret before, and the queue after.
    "DeliverEventFunction": (DELIVERY_SECONDS, 2),
    "PublishEventFunction": (0.1 + FAILING_SECONDS + PUBLISH_SECONDS, 2),
    "ScheduleFollowUpFunction": (0.1, 2),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - STATIC))
def test_a_function_outlives_a_silent_aws(name: str) -> None:
    """Else Lambda would end it, and the caller would learn nothing: 502 in place of `busy`."""
    work, requests = WORK[name]
    config: Any = aws._CONFIG
    longest = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) + 1
    assert longest == aws.LONGEST_SECONDS
    assert longest > SLOW_SECONDS
    timeout = FUNCTIONS[name].get("Timeout", GLOBALS["Timeout"])
    assert work + requests * longest < timeout


def test_the_look_up_of_a_name_leaves_time_for_vendors() -> None:
    """It is the one wait that no deadline of ours reaches: a route that is asked last still ends within the 8 s."""
    options = GLOBALS["Environment"]["Variables"]["RES_OPTIONS"]
    seconds, attempts = re.fullmatch(r"timeout:(\d) attempts:(\d)", options).groups()  # type: ignore[union-attr]
    assert int(seconds) * int(attempts) <= LEAST_SECONDS


def test_a_process_has_ended_when_another_takes_over() -> None:
    assert GLOBALS["Timeout"] <= TAKE_OVER_AFTER_SECONDS
    assert "Timeout" not in FUNCTIONS["StartVerificationFunction"]


def test_a_message_is_hidden_for_as_long_as_a_function_works_on_it() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping" and "Queue" in str(resource["Properties"]):
            queue = own(resource["Properties"]["EventSourceArn"])["GetAtt"].partition(".")[0]
            function = FUNCTIONS.get(resource["Properties"]["FunctionName"]["Ref"].partition(".")[0], {})
            timeout = function.get("Timeout", GLOBALS["Timeout"])
            if queue in RESOURCES and RESOURCES[queue]["Type"] == "AWS::SQS::Queue":
                assert RESOURCES[queue]["Properties"]["VisibilityTimeout"] >= 3 * timeout, name


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"AuthorizeFunction"}))
def test_nobody_else_reads_the_api_keys(name: str) -> None:
    assert "ApiKeysSecret" not in json.dumps(FUNCTIONS[name])


# What the code reads, by the module that reads it, and the functions that run it. Of a variable that is missing, some
# have a default that nobody would notice.
READ = re.compile(
    r'(?:environ\.get\(|environ\[|needed\(|text\(|number\(|words\(|switched_on\(|secret\(|_send\()"([A-Z0-9_]+)"'
)
SERVICE = {
    "StartVerificationFunction",
    "CheckStatusFunction",
    "ReceiveWebhookFunction",
    "TwilioVerifyFunction",
    "FollowUpFunction",
    "CognitoTriggersFunction",
}
POLICY = set(READ.findall((ROOT / "layers/callverify/callverify/runtime/settings.py").read_text()))


def test_the_template_sets_what_the_code_reads() -> None:
    folders = [ROOT / "layers/callverify/callverify", ROOT / "functions"]
    read = {name for folder in folders for path in folder.rglob("*.py") for name in READ.findall(path.read_text())}
    given = {name for function in FUNCTIONS for name in variables(function)}
    assert len(read) > 25
    assert {name for name in read if not name.startswith("AWS_")} <= given


@pytest.mark.parametrize("name", sorted(SERVICE))
def test_what_works_on_verifications_knows_the_policy(name: str) -> None:
    elsewhere = {"EVENT_RETRY_BASE_SECONDS", "EVENT_RETENTION_HOURS", "COGNITO_USER_POOL_ARN"}
    assert POLICY - elsewhere <= variables(name).keys()
    assert variables(name).keys() >= {"PEPPER_SECRET", "TABLE_NAME", "ALLOWED_ORIGINS"}


def test_what_asks_vendors_knows_their_credentials() -> None:
    for name in SERVICE - {"CheckStatusFunction"}:
        assert "PROVIDER_CREDENTIALS_SECRET" in variables(name), name


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - SERVICE | {"CheckStatusFunction"}))
def test_nothing_else_knows_where_vendors_credentials_are(name: str) -> None:
    assert "PROVIDER_CREDENTIALS_SECRET" not in variables(name)
    assert "ProviderCredentialsSecret" not in json.dumps(FUNCTIONS[name])


def test_every_limit_reaches_the_service() -> None:
    """The variables that hold parameters are all told apart by their values."""
    limits = {name for name in PARAMETERS if name.endswith(("Limit", "CooldownSeconds"))}
    values = {name: str(900_000 + number) for number, name in enumerate(sorted(limits))}
    given = environment("start_verification", **values)
    assert {value for value in given.values() if value in values.values()} == set(values.values())


def test_a_domain_of_ones_own_is_the_base_url_unless_another_is_given() -> None:
    assert environment("serve_docs")["PUBLIC_BASE_URL"] == ""
    assert environment("serve_docs", DomainName="verify.example")["PUBLIC_BASE_URL"] == "https://verify.example/v1"
    both = environment("serve_docs", DomainName="verify.example", PublicBaseUrl="https://other.example")
    assert both["PUBLIC_BASE_URL"] == "https://other.example"


def test_tracing_is_for_functions_alone() -> None:
    assert GLOBALS["Tracing"] == {"Ref": "Tracing"}
    assert not any("Tracing" in function for function in FUNCTIONS.values())
    assert API["TracingEnabled"] is False


@pytest.mark.parametrize("level", PARAMETERS["LogLevel"]["AllowedValues"])
def test_no_log_level_drops_metrics(level: str) -> None:
    """They are log lines without a level of their own, which Lambda takes for INFO."""
    for function in FUNCTIONS.values():
        logging = {**GLOBALS["LoggingConfig"], **function["LoggingConfig"]}
        found = resolve(logging["ApplicationLogLevel"], {"LogLevel": level})
        assert found == ("DEBUG" if level == "DEBUG" else "INFO")
        assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "WARN")


def test_access_logs_hold_no_path() -> None:
    log_format = json.loads(API["AccessLogSetting"]["Format"])
    assert log_format["resource"] == "$context.resourcePath"
    assert not {"$context.path", "$context.customDomain.basePathMatched"} & set(log_format.values())


def test_only_webhooks_the_page_the_documents_and_preflights_are_open() -> None:
    assert API["Auth"]["DefaultAuthorizer"] == "Bearer"
    assert API["Auth"]["Authorizers"]["Bearer"]["Identity"] == {"Header": "Authorization", "ReauthorizeEvery": 60}
    for function in FUNCTIONS.values():
        for route in routes(function):
            is_open = route.get("Auth", {}).get("Authorizer") == "NONE"
            open_path = route["Path"].startswith(("/webhooks/", "/page")) or route["Path"] in ("/openapi.json", "/docs")
            assert is_open is (open_path or route["Method"] == "options"), route


def test_browsers_may_ask_before_exactly_what_a_client_token_opens() -> None:
    every = [route for function in FUNCTIONS.values() for route in routes(function)]
    preflights = {route["Path"] for route in every if route["Method"] == "options"}
    assert preflights == {route.partition("/")[1] + route.partition("/")[2] for route in CLIENT_TOKEN_ROUTES}


def test_every_provider_reports_to_one_route() -> None:
    every = [(name, route) for name, function in FUNCTIONS.items() for route in routes(function)]
    found = {(name, route["Method"], route["Path"]) for name, route in every if route["Path"].startswith("/webhooks")}
    path = "/webhooks/{provider}/{rest+}"
    assert found == {("ReceiveWebhookFunction", "get", path), ("ReceiveWebhookFunction", "post", path)}


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
    assert TABLE["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    assert INDEX_TABLE["KeySchema"] == keys
    assert "StreamSpecification" not in INDEX_TABLE


@pytest.mark.parametrize("name", ["Table", "IndexTable"])
def test_tables_are_encrypted_swept_and_outlive_a_mistake(name: str) -> None:
    table = RESOURCES[name]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


NAMESPACE = "callverify/${AWS::StackName}"
ALARMS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def test_alarms_watch_what_is_counted() -> None:
    watched = [alarm for alarm in ALARMS.values() if alarm["Namespace"] == {"Sub": NAMESPACE}]
    assert {alarm["MetricName"] for alarm in watched} <= counted_metrics()
    for alarm in watched:
        by = tuple(dimension["Name"] for dimension in alarm.get("Dimensions", ()))
        assert by in SETS.get(alarm["MetricName"], (by,)), alarm["AlarmDescription"]
        assert "provider" not in by


def test_every_provider_is_watched_by_alarms_that_name_none() -> None:
    """A metric has a set of dimensions without `provider` for an alarm alone."""
    watched = {
        (alarm["MetricName"], tuple(each["Name"] for each in alarm.get("Dimensions", ()))) for alarm in ALARMS.values()
    }
    assert {(metric, names) for metric, sets in SETS.items() for names in sets if "provider" not in names} <= watched
    assert SETS.keys() <= counted_metrics()
    for name in ("ProviderDownAlarm", "ProviderNoMoneyAlarm"):
        assert "Which one: see the dashboard" in ALARMS[name]["AlarmDescription"]


def test_the_conversion_of_every_method_has_its_alarm() -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]: alarm for alarm in ALARMS.values() if alarm["MetricName"] == "Conversion"
    }
    assert watched.keys() == set(Method)
    for alarm in watched.values():
        assert alarm["ExtendedStatistic"] == {"Sub": "p${UnverifiedAlarmPercent}"}
        assert alarm["EvaluateLowSampleCountPercentile"] == "ignore"


def test_every_alarm_tells_the_operator() -> None:
    for name, alarm in ALARMS.items():
        assert alarm["AlarmActions"] == {
            "If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        }, name
        assert alarm["TreatMissingData"] == "notBreaching", name


def test_what_an_alarm_points_to_is_on_the_dashboard() -> None:
    titles = {widget["properties"].get("title") for widget in dashboard()}
    named = {
        title for alarm in ALARMS.values() for title in re.findall(r'dashboard, "([^"]+)"', alarm["AlarmDescription"])
    }
    assert named
    assert {title for title in named if not any(str(each).startswith(title) for each in titles)} == set()


DASHBOARD, _ = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Sub"]


def dashboard() -> list[dict[str, Any]]:
    text = DASHBOARD.replace("UpdatesAlarmArn", "AuthorizeUpdatesErrorsAlarm.Arn")
    widgets: list[dict[str, Any]] = json.loads(text)["widgets"]
    return widgets


def test_searches_of_the_dashboard_name_dimensions_that_are_counted() -> None:
    """A search for other dimensions than a metric has finds nothing, and says nothing."""
    every = [json.dumps(widget["properties"].get("metrics", "")) for widget in dashboard()]
    searches = re.findall(r"\\\",([a-z,]+)\} MetricName=\\\"(\w+)", " ".join(every))
    searched = [(metric, tuple(names.split(","))) for names, metric in searches]
    assert SETS.keys() <= {metric for metric, _ in searched}
    assert [each for each in searched if each[0] in SETS and each[1] not in SETS[each[0]]] == []


def test_the_dashboard_shows_every_metric_alarm_and_function() -> None:
    shown: set[str] = set()
    alarms: set[str] = set()
    for widget in dashboard():
        alarms |= {arn.removeprefix("${").removesuffix(".Arn}") for arn in widget["properties"].get("alarms", ())}
        for metric in widget["properties"].get("metrics", ()):
            if metric[0] == NAMESPACE:
                shown.add(metric[1])
            elif isinstance(metric[0], dict):
                shown |= set(re.findall(r'MetricName="(\w+)"', metric[0]["expression"]))
    assert shown == counted_metrics()
    assert alarms == ALARMS.keys()
    assert set(re.findall(r'"\$\{(\w+Function)\}"', DASHBOARD)) == FUNCTIONS.keys()
    groups = {f["LoggingConfig"]["LogGroup"]["Ref"] for f in FUNCTIONS.values()}
    assert {RESOURCES[group]["Properties"]["LogGroupName"]["Sub"] for group in groups} == set(
        re.findall(r"SOURCE '([^']+)'", DASHBOARD)
    )
