"""docs/openapi.yaml is a sound OpenAPI 3.1 document, and says what the code does."""

import ast
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from callverify.domain import errors
from callverify.domain.erasure import Erased
from callverify.domain.limits import Cooldown, GuessLimit
from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.verification import Verification
from callverify.domain.view import resource
from callverify.domain.words import (
    Challenge,
    EndReason,
    Evidence,
    Method,
    Mode,
    Outcome,
    Reason,
    Scope,
    Status,
)
from callverify.edge.access import CLIENT_TOKEN_ROUTES, ROUTES
from callverify.events.publish import transition
from callverify.providers import registry
from callverify.providers.base import Per
from callverify.providers.names import NAMES
from callverify.providers.sandbox import TEST_NUMBERS
from callverify.service import requests as bodies
from callverify.service.dial import Skipped
from callverify.service.events import MAX_EVENTS
from tests.support.client import PATIENCE
from tests.support.document import DOCUMENT, SCHEMAS, SPEC, violations, violations_of
from tests.support.template import API, FUNCTIONS
from tests.support.twilio_verify import ACCOUNT, SERVICE, basic

ROOT = Path(__file__).resolve().parents[2]
HTTP_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
KINDS: list[type[errors.CallverifyError]] = [*errors.CallverifyError.__subclasses__(), errors.CallverifyError]
ERRORS = {kind.code: kind for kind in KINDS}
NOW = 1_795_341_600
BASE_URL = "https://verify.example.com/v1"
METHODS = {each.name: [route.method for route in each.routes] for each in registry.manifests()}
DIGITS = {route.code.digits for each in registry.manifests() for route in each.routes if route.code}
REVERSE_CALLS = [name for name in NAMES if Method.REVERSE_CALL in METHODS[name]]
# Providers that lack a method.
FLASH = next(name for name in NAMES if Method.FLASH_CALL in METHODS[name] and name not in REVERSE_CALLS)
NO_FLASH = next(name for name in REVERSE_CALLS if Method.FLASH_CALL not in METHODS[name])
VOICE = next(name for name in NAMES if METHODS[name] == [Method.VOICE_CALL])


def follow(value: Any) -> Any:
    """What a `$ref` within the document names; anything else as it is."""
    while isinstance(value, dict) and isinstance(value.get("$ref"), str):
        target: Any = SPEC
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in SPEC["paths"].items():
        for method in item.keys() & HTTP_METHODS:
            yield path, method, item[method]


OPERATIONS = {f"{method} {path}": operation for path, method, operation in operations()}


def media() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(where, media type, its object) for each body that an operation takes or gives."""
    for name, operation in OPERATIONS.items():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} request", kind, content
        for status, response in operation["responses"].items():
            for kind, content in follow(response).get("content", {}).items():
                yield f"{name} {status}", kind, content


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


# The document in itself


def test_document_has_what_openapi_requires() -> None:
    assert re.fullmatch(r"3\.1\.\d+", SPEC["openapi"])
    assert {"title", "version"} <= SPEC["info"].keys()
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))
    for name, operation in OPERATIONS.items():
        assert operation["summary"], name
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"]), name
        assert all(follow(response)["description"] for response in operation["responses"].values()), name
        for requirement in operation.get("security", []):
            assert requirement.keys() <= SPEC["components"]["securitySchemes"].keys(), name
    for path, item in SPEC["paths"].items():
        declared = {p["name"] for p in map(follow, item.get("parameters", [])) if p["in"] == "path" and p["required"]}
        assert declared == set(re.findall(r"{(\w+)}", path)), path


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = set(references(SPEC))
    for reference in used:
        assert follow({"$ref": reference})
    components = {
        f"#/components/{kind}/{name}"
        for kind, members in SPEC["components"].items()
        if kind != "securitySchemes"
        for name in members
    }
    assert components == used


def test_every_schema_is_a_json_schema() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_example_fits_its_schema() -> None:
    seen = 0
    for where, _, content in media():
        for name, example in content.get("examples", {}).items():
            assert violations(follow(example)["value"], content["schema"]) == [], f"{where}: {name}"
            seen += 1
    assert seen > 50


# What client generators make of the document. `make test-stack` runs them; these say where they stumble.


def parts(value: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) for each object of the document, examples left out."""
    if isinstance(value, dict):
        yield path, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        if name not in ("example", "examples"):
            yield from parts(member, f"{path}/{name}")


PARTS = dict(parts(SPEC))


def test_no_key_is_given_twice() -> None:
    # This reader takes the last one and says nothing; others refuse the document.
    nodes, seen = [yaml.compose(DOCUMENT.read_text())], 0
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: {keys}"
            nodes += [value for _, value in node.value]
            seen += 1
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    assert seen > 500


def test_no_pattern_reads_as_a_delimited_one() -> None:
    patterns = {where: part["pattern"] for where, part in PARTS.items() if isinstance(part.get("pattern"), str)}
    assert len(patterns) > 10
    # openapi-generator takes a first `/` for Perl's delimiter.
    assert [where for where, pattern in patterns.items() if pattern.startswith("/")] == []


def test_a_webhook_shares_no_tag_with_the_paths() -> None:
    # openapi-generator writes one file for each tag: the webhook's would take the place of the operations'.
    of_paths = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    of_webhooks = {
        tag for item in SPEC["webhooks"].values() for operation in item.values() for tag in operation["tags"]
    }
    assert of_webhooks
    assert of_paths.isdisjoint(of_webhooks)
    assert {tag["name"] for tag in SPEC["tags"]} == of_paths | of_webhooks


def test_the_parameters_of_webhooks_name_no_schema() -> None:
    given = [part for where, part in PARTS.items() if re.fullmatch(r"#/webhooks/\w+/\w+/parameters/\d+", where)]
    assert len(given) == 3
    assert list(references(given)) == []


def test_null_stands_beside_one_schema_and_enums_hold_none() -> None:
    """Generators make one type of each named enum; of one with null in it, or of one within a schema, several."""
    for where, part in PARTS.items():
        if "enum" in part and "dependentSchemas" not in where:
            assert None not in part["enum"], where
        for kind in ("oneOf", "anyOf"):
            if {"type": "null"} in part.get(kind, ()):
                assert (kind, len(part[kind])) == ("anyOf", 2), where
                assert part[kind][0].keys() == {"$ref"}, where


def test_schemas_that_others_extend_hold_no_enum_of_their_own() -> None:
    extended = {part["$ref"] for schema in SCHEMAS.values() for part in schema.get("allOf", ()) if "$ref" in part}
    assert "#/components/schemas/Verification" in extended
    for reference in extended:
        assert [name for name, member in follow({"$ref": reference})["properties"].items() if "enum" in member] == []


def test_every_schema_of_a_property_says_its_type() -> None:
    """A `const`, an `enum` or formats alone become a type without a name, and the client does not compile."""
    for where, part in PARTS.items():
        if part.keys() & {"const", "enum", "format"} and not re.search(
            "/(dependentSchemas|if|then|else)/", f"{where}/"
        ):
            assert "type" in part, where


def test_rules_across_fields_stand_beside_the_properties() -> None:
    # In an allOf, they make openapi-generator leave the properties as they are, with null as a class of its own.
    for name, schema in SCHEMAS.items():
        assert not any({"if", "then"} & part.keys() for part in schema.get("allOf", ())), name


def test_phones_in_examples_are_test_numbers() -> None:
    found = re.findall(r"\+7\d{10}|\b[78]\d{10}\b|8 900 [\d-]+", DOCUMENT.read_text())
    assert len(found) > 5
    for phone in found:
        assert re.fullmatch(r"\+?[78]900000\d{4}", re.sub(r"[ -]", "", phone)), phone


# The routes


def test_routes_are_those_of_the_template() -> None:
    events = [event["Properties"] for function in FUNCTIONS.values() for event in function.get("Events", {}).values()]
    # `{rest+}` takes the rest of a path, which OpenAPI has no word for.
    deployed = {
        f"{event['Method']} {event['Path'].replace('+', '')}": event for event in events if "RestApiId" in event
    }
    assert OPERATIONS.keys() == deployed.keys()
    for name, event in deployed.items():
        is_open = event.get("Auth", {}).get("Authorizer") == "NONE"
        assert (OPERATIONS[name].get("security", SPEC["security"]) == []) is is_open, name


def test_credentials_are_those_that_the_authorizer_lets_through() -> None:
    def route(name: str) -> str:
        method, path = name.split()
        return method.upper() + path

    by_client_token: set[str] = set()
    by_scope: dict[Scope, set[str]] = {scope: set() for scope in Scope}
    for name, operation in OPERATIONS.items():
        for requirement in operation["security"]:
            if "clientToken" in requirement:
                by_client_token.add(route(name))
            for scope in requirement.get("apiKey", ()):
                by_scope[Scope(scope)].add(route(name).replace("{id}", "*"))
    assert by_client_token == set(CLIENT_TOKEN_ROUTES)
    assert by_scope == {scope: set(routes) for scope, routes in ROUTES.items()}


# Errors


def test_error_codes_are_the_services() -> None:
    assert set(SCHEMAS["Problem"]["properties"]["code"]["enum"]) == ERRORS.keys()


def test_every_error_stands_at_its_status_with_an_example() -> None:
    shown = set()
    for where, kind, content in media():
        if kind == "application/problem+json":
            assert content["examples"], where
            for name, example in content["examples"].items():
                problem = follow(example)["value"]
                shown.add(problem["code"])
                assert str(problem["status"]) == where.rsplit(" ", 1)[-1], f"{where}: {name}"
                # 413 is the gateway's own, before the service could judge the body.
                assert problem["status"] in (ERRORS[problem["code"]].status, 413), f"{where}: {name}"
    assert shown == ERRORS.keys()


def test_problems_of_the_service_fit() -> None:
    # `skipped` is put there for API keys alone, where the answer is written.
    properties = SCHEMAS["Problem"]["properties"].keys() - {"skipped"}
    for kind in ERRORS.values():
        error = kind("What is wrong.", limit="phone_10m", retry_after=3, verification_id="vrf_0")
        assert violations_of(error.problem("request", BASE_URL), "Problem") == []
        assert error.problem("request", BASE_URL).keys() == properties
        assert error.problem("request", BASE_URL).keys() - kind("What is wrong.").problem(
            "request", BASE_URL
        ).keys() == (properties - set(SCHEMAS["Problem"]["required"]))


def test_skipped_routes_fit_in_replies_and_problems() -> None:
    skipped = [asdict(Skipped(FLASH, Method.FLASH_CALL, reason)) for reason in SCHEMAS["SkipReason"]["enum"]]
    assert skipped[0].keys() == SCHEMAS["SkippedRoute"]["properties"].keys()
    assert violations_of(skipped, "Skipped") == []
    error = errors.NoProviderAvailable("What is wrong.", retry_after=3).problem("request", BASE_URL)
    started = {"client_token": "cvt.x", "page_url": "https://verify.example.com/v1/page#id=x&token=cvt.x"}
    reply = json.loads(json.dumps(resource(PENDING, NOW)))
    for name, body in (("Problem", error), ("StartedVerification", reply | started), ("SwitchedVerification", reply)):
        assert violations_of({**body, "skipped": skipped}, name) == []
        assert violations_of({**body, "skipped": [{**skipped[0], "reason": "no"}]}, name)


def test_reasons_of_skipped_routes_are_those_that_the_service_gives() -> None:
    given: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "layers/callverify/callverify/service/dial.py").read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_skip":
            given |= {str(word.value) for word in node.args if isinstance(word, ast.Constant)}
        if isinstance(node, ast.FunctionDef) and node.name == "_passes_over":
            returned = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            given |= {str(word.value) for word in returned if isinstance(word, ast.Constant) and word.value}
    assert given == set(SCHEMAS["SkipReason"]["enum"])


def test_problems_of_the_gateway_fit() -> None:
    for name, response in API["GatewayResponses"].items():
        body = json.loads(response["ResponseTemplates"]["application/json"])
        assert violations_of(body, "Problem") == [], name
        assert body.keys() <= SCHEMAS["Problem"]["properties"].keys(), name
        assert body["type"] == f"/v1/docs#error-{body['code']}", name


def test_what_the_gateway_refuses_is_documented_on_every_guarded_route() -> None:
    guarded = {name: operation for name, operation in OPERATIONS.items() if operation["security"]}
    assert guarded
    for name, operation in guarded.items():
        # 404 is for what is no route.
        expected = {response["StatusCode"] for response in API["GatewayResponses"].values()} - {404}
        if name.startswith("get"):
            expected -= {413}  # it has no body
        assert {str(status) for status in expected} <= operation["responses"].keys(), name


def test_limits_are_those_that_the_service_counts() -> None:
    counted = ("RollingLimit", "SealedLimit", "CalendarLimit", "LimitReached", "RateLimited")
    names = {Cooldown(phone_hash="", seconds=0).name, GuessLimit(phone_hash="", count=0).name}
    for file in (ROOT / "layers/callverify/callverify/service").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in counted:
                given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "limit")]
                words = [str(word.value) for word in given if isinstance(word, ast.Constant)]
                # The others are sentences.
                names |= {word for word in words if re.fullmatch("[a-z_0-9]+", word)}
    assert set(SCHEMAS["Problem"]["properties"]["limit"]["enum"]) == {*names, "gateway_throttle", "firewall"}


# Requests


def test_request_fields_are_those_that_are_parsed() -> None:
    assert SCHEMAS["StartRequest"]["properties"].keys() == bodies.START_FIELDS
    # `end_user_ip` is kept in two forms.
    assert {field.name for field in fields(bodies.StartRequest)} - {"end_user_address"} == bodies.START_FIELDS
    assert SCHEMAS["SwitchRequest"]["properties"].keys() == {field.name for field in fields(bodies.SwitchRequest)}
    start = SCHEMAS["StartRequest"]["properties"]
    assert start["reference"]["maxLength"] == bodies.MAX_REFERENCE
    assert SCHEMAS["Locale"]["enum"] == [*bodies.LOCALES]
    assert start["locale"]["anyOf"] == [{"$ref": "#/components/schemas/Locale"}, {"type": "null"}]
    metadata = SCHEMAS["Metadata"]
    assert metadata["maxProperties"] == bodies.MAX_METADATA_PAIRS
    assert metadata["propertyNames"]["maxLength"] == bodies.MAX_METADATA_NAME
    assert metadata["additionalProperties"]["maxLength"] == bodies.MAX_METADATA_VALUE
    key = SPEC["components"]["parameters"]["IdempotencyKey"]["schema"]
    assert key["maxLength"] == bodies.MAX_IDEMPOTENCY_KEY


def parse_check(body: str) -> None:
    """By the first route whose codes are so long, if there is one."""
    code = json.loads(body).get("code")
    bodies.parse_code(body, next((digits for digits in DIGITS if len(str(code)) == digits), min(DIGITS)))


PARSERS: dict[str, Any] = {
    "startVerification": lambda body: bodies.parse_start(body, methods=METHODS, return_origins=()),
    "checkCode": parse_check,
    "repeatVerification": bodies.parse_nothing,
    "switchVerification": bodies.parse_switch,
    "cancelVerification": bodies.parse_nothing,
    "searchVerifications": bodies.parse_search,
    "blockPhone": bodies.parse_phone,
    "unblockPhone": bodies.parse_phone,
    "erasePhone": bodies.parse_phone,
}


def test_requests_in_examples_are_accepted() -> None:
    seen = set()
    for operation in OPERATIONS.values():
        for example in (
            operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}).values()
        ):
            PARSERS[operation["operationId"]](json.dumps(example["value"]))
            seen.add(operation["operationId"])
    assert seen == PARSERS.keys()


@pytest.mark.parametrize(
    ("schema", "operation", "body"),
    [
        ("StartRequest", "startVerification", {}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "fone": 1}),
        ("StartRequest", "startVerification", {"phone": 79000001234}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "method": "sms"}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "allowed_methods": []}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "reference": "r" * 65}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "reference": ""}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "metadata": {"n" * 41: ""}}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "metadata": {"n": "v" * 501}}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "metadata": {"n": 1}}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "end_user_ip": "203.0.113"}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "locale": "de"}),
        (
            "StartRequest",
            "startVerification",
            {"phone": "+79000001234", "provider": NO_FLASH, "method": "flash_call"},
        ),
        (
            "StartRequest",
            "startVerification",
            {"phone": "+79000001234", "provider": FLASH, "method": "reverse_call"},
        ),
        (
            "StartRequest",
            "startVerification",
            {"phone": "+79000001234", "method": "flash_call", "allowed_methods": ["reverse_call"]},
        ),
        (
            "StartRequest",
            "startVerification",
            {"phone": "+79000001234", "provider": NO_FLASH, "allowed_methods": ["flash_call"]},
        ),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "provider": VOICE}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "provider": VOICE, "method": None}),
        (
            "StartRequest",
            "startVerification",
            {"phone": "+79000001234", "provider": VOICE, "method": None, "allowed_methods": None},
        ),
        (
            "StartRequest",
            "startVerification",
            {"phone": "+79000001234", "method": "voice_call", "allowed_methods": ["flash_call", "reverse_call"]},
        ),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "return_url": "http://shop.example"}),
        ("StartRequest", "startVerification", {"phone": "+79000001234", "brand": "Acme Shop"}),
        ("CheckRequest", "checkCode", {}),
        ("CheckRequest", "checkCode", {"code": 1234}),
        ("CheckRequest", "checkCode", {"code": "12a4"}),
        ("CheckRequest", "checkCode", {"code": "123"}),
        ("CheckRequest", "checkCode", {"code": "1234567"}),
        ("RepeatRequest", "repeatVerification", {"reason": "none"}),
        ("SwitchRequest", "switchVerification", {}),
        ("SwitchRequest", "switchVerification", {"phone": "+79000001234"}),
        ("SwitchRequest", "switchVerification", {"method": "flash_call"}),
        ("SwitchRequest", "switchVerification", {"phone": "+79000001234", "method": "sms"}),
        ("SwitchRequest", "switchVerification", {"phone": "+79000001234", "method": "flash_call", "provider": FLASH}),
        ("CancelRequest", "cancelVerification", {"reason": "none"}),
        ("SearchRequest", "searchVerifications", {}),
        ("SearchRequest", "searchVerifications", {"phone": "+79000001234", "reference": "r"}),
        ("SearchRequest", "searchVerifications", {"phone": None}),
        ("SearchRequest", "searchVerifications", {"reference": None}),
        ("SearchRequest", "searchVerifications", {"reference": ""}),
        ("SearchRequest", "searchVerifications", {"reference": "r", "limit": 0}),
        ("SearchRequest", "searchVerifications", {"reference": "r", "limit": 21}),
        ("SearchRequest", "searchVerifications", {"reference": "r", "limit": "5"}),
        ("SearchRequest", "searchVerifications", {"reference": "r", "after": "a" * 201}),
    ],
)
def test_document_and_service_refuse_the_same(schema: str, operation: str, body: dict[str, Any]) -> None:
    assert violations_of(body, schema)
    with pytest.raises(errors.InvalidRequest):
        PARSERS[operation](json.dumps(body))


@pytest.mark.parametrize(
    "more",
    [
        {name: None for name in SCHEMAS["StartRequest"]["properties"] if name != "phone"},
        {"provider": REVERSE_CALLS[-1], "method": None, "allowed_methods": ["flash_call", "reverse_call"]},
        {"provider": FLASH, "method": "flash_call", "allowed_methods": None},
        {"provider": None, "method": "reverse_call", "allowed_methods": ["reverse_call"]},
        {"provider": VOICE, "method": "voice_call"},
        {"provider": VOICE, "allowed_methods": ["voice_call", "flash_call"]},
        {"allowed_methods": [*Method]},
    ],
    ids=str,
)
def test_document_and_service_take_the_same(more: dict[str, Any]) -> None:
    body = {"phone": "+79000001234", **more}
    assert violations_of(body, "StartRequest") == []
    PARSERS["startVerification"](json.dumps(body))


def test_codes_are_as_long_as_those_of_the_routes() -> None:
    length = SCHEMAS["EnterDigits"]["properties"]["length"]
    assert (length["minimum"], length["maximum"]) == (min(DIGITS), max(DIGITS))
    for number in range(1, 10):
        fits = violations_of({"code": "0" * number}, "CheckRequest") == []
        assert fits is (min(DIGITS) <= number <= max(DIGITS))


# Webhooks


def test_every_webhook_is_shown_with_its_address_and_its_answer() -> None:
    said = OPERATIONS["get /webhooks/{provider}/{rest}"]["description"]
    content = SPEC["components"]["responses"]["Acknowledged"]["content"]
    reporting = [each for each in registry.manifests() if each.webhook]
    assert reporting
    for each in reporting:
        assert each.webhook
        rest = "{token}" if each.webhook.per is Per.ACCOUNT else "{id}/{token}"
        assert f"- `/webhooks/{each.name}/{rest}`" in said
        assert each.webhook.content_type.partition(";")[0].partition(";")[0] in content
    assert len(re.findall(r"^- ", said, re.MULTILINE)) == len(reporting)


def test_test_numbers_are_those_of_test_mode() -> None:
    assert re.findall(r"^- `(\+\d+)`: ", SPEC["info"]["description"], re.MULTILINE) == [*TEST_NUMBERS]


# The resource


def test_providers_are_those_of_the_one_list() -> None:
    assert SCHEMAS["Provider"]["enum"] == [*NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_asked_for_what_its_manifest_offers(name: str) -> None:
    for method in Method:
        offered = registry.route(name, method) is not None
        body = {"phone": "+79000001234", "provider": name}
        for more in ({"method": method}, {"allowed_methods": [method]}):
            assert (violations_of({**body, **more}, "StartRequest") == []) is offered, more


@pytest.mark.parametrize(
    ("name", "enum"),
    [
        ("Method", Method),
        ("Mode", Mode),
        ("Status", Status),
        ("EndReason", EndReason),
        ("Evidence", Evidence),
        ("Outcome", Outcome),
        ("AttemptReason", Reason),
    ],
)
def test_enums_are_the_models(name: str, enum: type[StrEnum]) -> None:
    assert set(SCHEMAS[name]["enum"]) == set(enum)


PENDING = Verification(
    id="vrf_511667r5z77k6r24cf4js7w5d2",
    mode=Mode.LIVE,
    status=Status.PENDING,
    method=Method.FLASH_CALL,
    provider=FLASH,
    phone_mask="+7******1234",
    phone_hash="hash",
    key_id="0123456789abcdef",
    created_at=NOW,
    expires_at=NOW + 300,
    attempts=(Attempt(1, 1, Method.FLASH_CALL, FLASH, Outcome.STARTED, NOW),),
    steps=(Step(1, StepKind.START, claimed_at=NOW, done=True),),
    allowed_methods=tuple(Method),
    challenge=Challenge.enter_digits(),
    call_id="103000",
    repeats_remaining=2,
    repeat_at=NOW + 61,
    reference="order-17",
    metadata={"shop": "main"},
)
REVERSE = replace(
    PENDING,
    method=Method.REVERSE_CALL,
    provider=REVERSE_CALLS[0],
    attempts=(Attempt(1, 1, Method.REVERSE_CALL, REVERSE_CALLS[0], Outcome.STARTED, NOW),),
    challenge=Challenge.call_number("+79000000100"),
    repeats_remaining=0,
    repeat_at=None,
)
SAMPLES = {
    "pending flash call": PENDING,
    "pending reverse call": REVERSE,
    "pending voice call": replace(
        PENDING,
        method=Method.VOICE_CALL,
        provider=VOICE,
        attempts=(
            Attempt(1, 1, Method.REVERSE_CALL, REVERSE_CALLS[0], Outcome.UNAVAILABLE, NOW, Reason.HELD),
            Attempt(2, 1, Method.VOICE_CALL, VOICE, Outcome.STARTED, NOW + 1),
        ),
        challenge=Challenge.enter_digits(6),
        repeats_remaining=0,
        repeat_at=None,
    ),
    "verified by the vendor's code": replace(
        PENDING,
        status=Status.VERIFIED,
        evidence=Evidence.VENDOR_CODE_MATCHED,
        verified_at=NOW + 9,
        guess_limit=3,
        code_hash="hash",
    ),
    "guesses spent": replace(PENDING, guesses=5, status=Status.FAILED, reason=EndReason.CHECKS_EXHAUSTED),
    "verified": replace(REVERSE, status=Status.VERIFIED, evidence=Evidence.PROVIDER_READ_BACK, verified_at=NOW + 9),
    "expired": replace(REVERSE, expires_at=NOW),
    "canceled": replace(PENDING, status=Status.CANCELED, reason=EndReason.CANCELED_BY_CLIENT),
    "not answered yet": replace(
        PENDING, challenge=None, reference=None, metadata={}, repeats_remaining=0, repeat_at=None
    ),
    "refused in test mode": replace(
        PENDING,
        id="vrf_test_511667r5z77k6r24cf4js7w5d2",
        mode=Mode.TEST,
        status=Status.FAILED,
        reason=EndReason.PROVIDER_REJECTED,
        challenge=None,
        attempts=(replace(PENDING.attempt, outcome=Outcome.REJECTED, reason=Reason.NUMBER_REFUSED),),
    ),
}


@pytest.mark.parametrize("verification", SAMPLES.values(), ids=SAMPLES)
def test_resource_fits(verification: Verification) -> None:
    body = json.loads(json.dumps(resource(verification, NOW)))
    assert violations_of(body, "Verification") == []
    started = {"client_token": "cvt.x", "page_url": "https://verify.example.com/v1/page#id=x&token=cvt.x"}
    assert violations_of({**body, **started}, "StartedVerification") == []
    assert violations_of({**body, "valid": False}, "CheckedVerification") == []
    # Nothing undocumented either: the schemas themselves stay open, so that clients stay tolerant.
    # But for what a client token alone is told, and a brand, where the start named one.
    assert body.keys() == SCHEMAS["Verification"]["properties"].keys() - {"return_url", "brand"}
    # And what a client token alone is not told.
    assert body.keys() - {"reference", "metadata"} == set(SCHEMAS["Verification"]["required"])
    for attempt in body["attempts"]:
        assert attempt.keys() == SCHEMAS["Attempt"]["properties"].keys()
    if body["challenge"]:
        kind = {"enter_digits": "EnterDigits", "call_number": "CallNumber"}[body["challenge"]["type"]]
        assert body["challenge"].keys() == SCHEMAS[kind]["properties"].keys()


@pytest.mark.parametrize("name", SCHEMAS["Verification"]["required"])
def test_resource_without_a_member_does_not_fit(name: str) -> None:
    body = json.loads(json.dumps(resource(PENDING, NOW)))
    del body[name]
    assert violations_of(body, "Verification")


def test_samples_show_every_status() -> None:
    assert {resource(verification, NOW)["status"] for verification in SAMPLES.values()} == set(Status)


# Events


@pytest.mark.parametrize("verification", SAMPLES.values(), ids=SAMPLES)
def test_event_fits(verification: Verification) -> None:
    before = None if verification.status is Status.PENDING else PENDING
    event = transition(before, verification)
    assert event is not None
    body = json.loads(event.body)
    assert violations_of(body, "Event") == []
    assert body.keys() == SCHEMAS["Event"]["properties"].keys()


def test_events_are_those_that_are_published() -> None:
    begun = replace(PENDING, attempts=(replace(PENDING.attempt, outcome=Outcome.STARTING),), challenge=None)
    changes = [(None, begun), (begun, PENDING), *((PENDING, replace(PENDING, status=status)) for status in Status)]
    changes.append((PENDING, Erased(PENDING.id, PENDING.mode, PENDING.created_at, "support")))  # type: ignore[arg-type]
    types = {event.type for change in changes if (event := transition(*change))}
    assert types == set(SCHEMAS["Event"]["properties"]["type"]["enum"])


def test_pages_of_events_are_as_long_as_they_are() -> None:
    _, limit = OPERATIONS["get /events"]["parameters"]
    assert limit["schema"]["maximum"] == limit["schema"]["default"] == MAX_EVENTS
    assert SCHEMAS["EventPage"]["properties"]["events"]["maxItems"] == MAX_EVENTS


# The deployed stack


class Client:
    """Calls the deployed stack, and judges every answer by the document: status, type, body, code and headers."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    def call(
        self, name: str, credential: str | None, body: object = None, *, query: str = "", **path: str
    ) -> tuple[int, Any]:
        method, route = name.split()
        headers = {"Idempotency-Key": path.pop("key")} if "key" in path else {}
        if credential:
            given = self._env.get(credential, credential)
            headers["Authorization"] = given if given.startswith("Basic ") else f"Bearer {given}"
        data = body if isinstance(body, str | None) else json.dumps(body)
        url = self._env["BASE_URL"] + route.format(**path) + query
        answer = requests.request(method, url, data=data, headers=headers, timeout=PATIENCE)
        self._judge(f"{name} {answer.status_code}", OPERATIONS[name]["responses"].get(str(answer.status_code)), answer)
        kind = answer.headers.get("Content-Type", "").split(";")[0]
        return (answer.status_code, answer.json() if answer.content and kind.endswith("json") else answer.text)

    @staticmethod
    def _judge(where: str, response: Any, answer: requests.Response) -> None:
        assert response, f"{where} is not documented"
        response = follow(response)
        if "content" not in response:
            assert answer.content == b"", where
            return
        kind = answer.headers["Content-Type"].split(";")[0]
        assert kind in response["content"], where
        content = response["content"][kind]
        body: Any = answer.json() if kind.endswith("json") else answer.text
        assert violations(body, content["schema"]) == [], where
        told = {name for name in ("Retry-After", "Idempotent-Replayed", "WWW-Authenticate") if name in answer.headers}
        assert told <= response.get("headers", {}).keys(), where
        if kind == "application/problem+json":
            assert body["code"] in {follow(example)["value"]["code"] for example in content["examples"].values()}, where
            assert str(body.get("retry_after", "")) == answer.headers.get("Retry-After", ""), where


def test_the_deployed_stack_answers_as_documented(stack: dict[str, str]) -> None:
    call = Client(stack).call
    start, read, check = "post /verifications", "get /verifications/{id}", "post /verifications/{id}/check"
    repeat, switch = "post /verifications/{id}/repeat", "post /verifications/{id}/switch"
    cancel, report = "post /verifications/{id}/cancel", "/webhooks/{provider}/{rest}"
    answered = []
    # Others than in the last run, which this stack may have seen: a phone rests for a while.
    digits, key = 4700 + secrets.randbelow(200), secrets.token_hex(8)
    number, other = f"+7900000{digits}", f"+7900000{digits + 200}"

    def expect(status: int, code: str, *arguments: Any, **options: str) -> Any:
        found, body = call(*arguments, **options)
        assert (found, body.get("code", body.get("status"))) == (status, code), (arguments, body)
        answered.append(arguments[0])
        return body

    phone = {"phone": number, "method": "reverse_call", "allowed_methods": ["reverse_call", "flash_call"]}
    begun = expect(201, "pending", start, "API_KEY", phone, key=key)
    token, of_it = begun["client_token"], {"id": begun["id"]}
    # At once: on a busy machine, the phone's cooldown would be over further down.
    expect(429, "rate_limited", switch, token, {"phone": number, "method": "flash_call"}, **of_it)
    expect(200, "pending", start, "API_KEY", phone, key=key)
    expect(422, "idempotency_key_reused", start, "API_KEY", {"phone": other}, key=key)
    expect(409, "verification_in_progress", start, "API_KEY", phone)
    expect(400, "invalid_request", start, "API_KEY", "{")
    expect(400, "invalid_request", start, "API_KEY", "x" * 20_000)
    expect(422, "invalid_phone", start, "TEST_API_KEY", {"phone": other})
    expect(422, "country_not_allowed", start, "API_KEY", {"phone": "+12025550123"})
    expect(401, "unauthorized", start, None, {})
    expect(401, "unauthorized", start, "cv_live_nobody", {})
    expect(403, "forbidden", start, token, {})
    expect(200, "pending", read, token, **of_it)
    expect(404, "not_found", read, "TEST_API_KEY", **of_it)
    expect(403, "forbidden", read, token, id="vrf_another")
    expect(409, "method_has_no_code", check, token, {"code": "1234"}, **of_it)
    expect(409, "repeat_not_supported", repeat, token, {}, **of_it)
    expect(400, "invalid_request", switch, token, {"method": "flash_call"}, **of_it)
    expect(422, "phone_mismatch", switch, token, {"phone": other, "method": "flash_call"}, **of_it)
    expect(403, "forbidden", cancel, token, **of_it)
    expect(200, "canceled", cancel, "API_KEY", **of_it)
    expect(409, "verification_not_pending", cancel, "API_KEY", **of_it)
    expect(422, "provider_rejected", start, "TEST_API_KEY", {"phone": "+79000000104"}, key=f"{key} refused")
    expect(422, "provider_rejected", start, "TEST_API_KEY", {"phone": "+79000000104"}, key=f"{key} refused")
    flash = {
        "id": expect(201, "pending", start, "TEST_API_KEY", {"phone": "+79000000101", "method": "flash_call"})["id"]
    }
    expect(200, "pending", check, "TEST_API_KEY", {"code": "1111"}, **flash)
    expect(200, "pending", repeat, "TEST_API_KEY", {}, **flash)
    expect(
        409, "method_not_allowed", switch, "TEST_API_KEY", {"phone": "+79000000101", "method": "reverse_call"}, **flash
    )
    expect(200, "verified", check, "TEST_API_KEY", {"code": "0000"}, **flash)

    blocked = {"phone": f"+7900000{digits + 600}"}
    assert call("put /blocks", "API_KEY", blocked) == (204, "")
    expect(403, "phone_blocked", start, "API_KEY", blocked)
    expect(422, "invalid_phone", "put /blocks", "TEST_API_KEY", blocked)
    expect(400, "invalid_request", "delete /blocks", "API_KEY", {})
    assert call("delete /blocks", "API_KEY", blocked) == (204, "")
    erase = "delete /verifications/{id}"
    expect(
        409,
        "verification_pending",
        erase,
        "TEST_API_KEY",
        id=expect(201, "pending", start, "TEST_API_KEY", {"phone": "+79000000103", "method": "reverse_call"})["id"],
    )
    assert call(erase, "TEST_API_KEY", **flash) == (204, "")
    expect(404, "not_found", erase, "TEST_API_KEY", **flash)
    assert call("post /erasures", "API_KEY", {"phone": f"+7900000{digits + 800}"}) == (200, {"erased": 0, "done": True})
    expect(400, "invalid_request", "post /erasures", "API_KEY", {})
    answered += _ask_as_an_sdk(call, stack, f"+7900000{digits + 400}")
    search = "post /verifications/search"
    for credential, body in (("API_KEY", {"phone": number, "limit": 1}), ("TEST_API_KEY", {"reference": key})):
        assert call(search, credential, body)[0] == 200
    expect(400, "invalid_request", search, "API_KEY", {})
    expect(403, "forbidden", search, token, {"phone": number})
    expect(409, "cursor_unknown", search, "API_KEY", {"reference": key, "after": "x"})
    expect(422, "invalid_phone", search, "TEST_API_KEY", {"phone": number})
    answered.append(search)
    assert call("get /usage", "API_KEY")[0] == 200
    expect(400, "invalid_request", "get /usage", "API_KEY", query="?day=today")
    history = "get /verifications/{id}/history"
    assert call(history, "API_KEY", **of_it)[0] == 200
    expect(403, "forbidden", history, token, **of_it)
    expect(404, "not_found", history, "TEST_API_KEY", **of_it)
    assert call("get /events", "API_KEY")[0] == 200
    expect(400, "invalid_request", "get /events", "API_KEY", query="?limit=0")
    smsc = {"provider": "smsc", "rest": stack["SMSC_WEBHOOK_URL"].rsplit("/", 1)[1]}
    assert call(f"get {report}", None, **smsc) == (200, "OK")
    expect(400, "invalid_request", f"get {report}", None, query="?waitcall=1", **smsc)
    expect(403, "forbidden", f"get {report}", None, query="?waitcall=1&phone=79000004700&ts=1&md5=0", **smsc)
    for provider, rest in (("smsc", "no"), ("telefon_ip", "x/y"), ("telefon-ip", "x/y"), ("nobody", "x")):
        for method in ("get", "post"):
            expect(404, "not_found", f"{method} {report}", None, provider=provider, rest=rest)
    for name in (read, check, repeat, switch):
        preflight = name.replace("get", "options").replace("post", "options")
        assert call(preflight, None, id="x") == (204, "")
        answered.append(preflight)
    assert call("get /page", None)[0] == 200
    answered.append("get /page")
    for file in SPEC["paths"]["/page/{file}"]["parameters"][0]["schema"]["enum"]:
        assert call("get /page/{file}", None, file=file)[0] == 200
    for name in ("get /openapi.json", "get /docs"):
        assert call(name, None)[0] == 200
        answered.append(name)
    expect(404, "not_found", "get /page/{file}", None, file="nothing.js")
    assert set(answered) == OPERATIONS.keys()


def _ask_as_an_sdk(call: Any, stack: dict[str, str], number: str) -> list[str]:
    """Every operation of the façade, by a credential of its own; returns their names."""
    root = "/twilio/v2"
    service = {"service": SERVICE}
    create, check = (f"post {root}/Services/{{service}}/{name}" for name in ("Verifications", "VerificationCheck"))
    fetch, update = (f"{verb} {root}/Services/{{service}}/Verifications/{{verification}}" for verb in ("get", "post"))
    key, nobody = (basic(ACCOUNT, password) for password in (stack["API_KEY"], "cv_live_nobody"))
    answered = []

    def expect(
        status: int, code: object, name: str, credential: str | None, body: str | None = None, **path: str
    ) -> Any:
        found, told = call(name, credential, body, **path)
        assert (found, told.get("code", told.get("status"))) == (status, code), (name, told)
        answered.append(name)
        return told

    form = urlencode({"To": number, "Channel": "sna"})
    sid = expect(201, "pending", create, key, form, **service)["sid"]
    named = {"verification": sid, **service}
    expect(429, 60212, create, key, form, **service)
    expect(400, 60200, create, key, "To=112&Channel=call", **service)
    expect(403, 60605, create, key, urlencode({"To": "+12025550123", "Channel": "call"}), **service)
    expect(401, 20003, create, nobody, form, **service)
    expect(401, "unauthorized", create, None, form, **service)
    expect(403, "forbidden", create, "API_KEY", form, **service)
    expect(200, "pending", fetch, key, **named)
    expect(200, "pending", check, key, f"VerificationSid={sid}", **service)
    expect(403, 20403, update, key, "Status=approved", **named)
    expect(200, "canceled", update, key, "Status=canceled", **named)
    expect(404, 20404, check, key, f"VerificationSid={sid}", **service)
    for verb in ("get", "post", "delete"):
        expect(404, 20404, f"{verb} {root}/{{rest}}", key, rest="x/y")
    for name, query in (("Services", ""), ("Services/{service}", ""), ("Attempts", f"?VerificationSid={sid}")):
        assert call(f"get {root}/{name}", key, query=query, **service)[0] == 200
        answered.append(f"get {root}/{name}")
    return answered
