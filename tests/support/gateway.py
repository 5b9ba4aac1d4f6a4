"""The deployed service in one process: the handlers behind a small gateway, moto's AWS, the simulated vendors.

Every request is made from a file of events/, so that those files are what `sam local invoke` and the tests share.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from callverify.errors import Busy
from callverify.keys import Keys
from werkzeug.serving import make_server

from callverify import telemetry, wiring
from functions.authorize import app as authorize
from functions.check_status import app as check_status
from functions.receive_webhook import app as receive_webhook
from functions.start_verification import app as start_verification
from simulators.__main__ import QuietHandler
from simulators.accounts import SMSC_LOGIN, SMSC_PASSWORD, TELEFON_IP_TOKEN, UCALLER_KEY, UCALLER_SERVICE_ID
from simulators.webhooks import Webhook
from tests.support.policies import JudgedDynamoDb
from tests.support.simulators import Simulators

EVENTS = Path(__file__).parents[2] / "events"
TABLE = "callverify"
PEPPER = "PepperOfTheTestsPepperOfTheTestsPepperOfTheTestsPepperOfTheTests"

LIVE_KEY = "cv_live_" + "L" * 43
OTHER_LIVE_KEY = "cv_live_" + "O" * 43
TEST_KEY = "cv_test_" + "T" * 43
READ_KEY = "cv_live_" + "R" * 43
WRITE_KEY = "cv_live_" + "W" * 43
NO_SCOPE_KEY = "cv_live_" + "N" * 43
READ, WRITE = "verifications:read", "verifications:write"
API_KEYS = [
    (LIVE_KEY, [READ, WRITE], "live"),
    (OTHER_LIVE_KEY, [READ, WRITE], "live"),
    (TEST_KEY, [READ, WRITE], "test"),
    (READ_KEY, [READ], "live"),
    (WRITE_KEY, [WRITE], "live"),
    (NO_SCOPE_KEY, [], "live"),
]

SMSC_SECRET = "fake-callback-secret"
SMSC_WEBHOOK_TOKEN = "fake-token-of-the-account"
CREDENTIALS: dict[str, Any] = {
    "ucaller": {"key": UCALLER_KEY, "service_id": UCALLER_SERVICE_ID},
    "telefon_ip": {"token": TELEFON_IP_TOKEN},
    "smsc": {
        "login": SMSC_LOGIN,
        "psw": SMSC_PASSWORD,
        "callback_secret": SMSC_SECRET,
        "webhook_token": SMSC_WEBHOOK_TOKEN,
    },
}
VENDOR_SECRETS = (UCALLER_KEY, TELEFON_IP_TOKEN, SMSC_PASSWORD, SMSC_SECRET, SMSC_WEBHOOK_TOKEN)

PHONE = "+79000000011"
HANDLERS: Mapping[tuple[str, str], Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    ("POST", "/verifications"): start_verification.handler,
    ("POST", "/verifications/{id}/repeat"): start_verification.handler,
    ("POST", "/verifications/{id}/cancel"): start_verification.handler,
    ("GET", "/verifications/{id}"): check_status.handler,
    ("POST", "/verifications/{id}/check"): check_status.handler,
    ("GET", "/webhooks/telefon-ip/{id}/{token}"): receive_webhook.handler,
    ("POST", "/webhooks/telefon-ip/{id}/{token}"): receive_webhook.handler,
    ("GET", "/webhooks/smsc/{token}"): receive_webhook.handler,
    ("POST", "/webhooks/smsc/{token}"): receive_webhook.handler,
}
SECRETS = {
    "pepper": PEPPER,
    "provider-credentials": json.dumps(CREDENTIALS),
    "api-keys": json.dumps(
        [
            {"name": mode, "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": scopes, "mode": mode}
            for key, scopes, mode in API_KEYS
        ]
    ),
}
changed_secrets: set[str] = set()
# Loading boto3's models takes longer than a whole test.
moto_client: Callable[..., Any] = cache(boto3.client)
dynamodb = JudgedDynamoDb()


def aws_client(service: str) -> Any:
    return dynamodb if service == "dynamodb" else moto_client(service)


def create_table(name: str) -> None:
    """The table of template.yaml, as far as moto can tell the difference."""
    aws_client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )


def drop_table(name: str) -> None:
    aws_client("dynamodb").delete_table(TableName=name)


def items(table: str) -> list[dict[str, Any]]:
    """All that requests left in the table: not the pepper's fingerprint, which a start-up does."""
    found = aws_client("dynamodb").scan(TableName=table)["Items"]
    every = ({name: TypeDeserializer().deserialize(value) for name, value in item.items()} for item in found)
    return [item for item in every if item["pk"] != "pepper"]


def load_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def path_parameters(resource: str, path: str) -> dict[str, str] | None:
    """What API Gateway finds in a path that matches the resource."""
    pairs = zip(resource.split("/"), path.split("/"), strict=True)
    return {name.strip("{}"): value for name, value in pairs if name.startswith("{")} or None


CUSTOM_DOMAIN = "verify.example.com"


def custom_domain(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same request as API Gateway hands it over when it came to a custom domain, where `path` has the base path."""
    context = event["requestContext"] | {"domainName": CUSTOM_DOMAIN, "domainPrefix": CUSTOM_DOMAIN.partition(".")[0]}
    headers = event["headers"] | {"Host": CUSTOM_DOMAIN}
    several = event["multiValueHeaders"] | {"Host": [CUSTOM_DOMAIN]}
    path = f"/{context['stage']}{event['path']}"
    return {**event, "path": path, "headers": headers, "multiValueHeaders": several, "requestContext": context}


@dataclass(frozen=True)
class Answer:
    """What a caller gets. `body` is the parsed JSON, or the text where it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


class Api:
    """The service as its callers meet it. `simulators` holds the clock that everybody shares."""

    def __init__(self, simulators: Simulators, logged: Callable[[], str]) -> None:
        self.at_custom_domain = False
        self.simulators = simulators
        self.logged = logged
        self.keys = Keys(PEPPER)
        self.webhook_answers: list[Answer] = []
        self.phones = {PHONE}
        self.client_tokens: set[str] = set()
        simulators.on_webhook = self._deliver

    # Time

    @property
    def now(self) -> int:
        return int(self.simulators.now)

    def advance(self, seconds: float) -> None:
        self.simulators.advance(seconds)

    # Requests

    def send(
        self,
        event_name: str,
        *,
        id: str | None = None,  # noqa: A002
        body: Any = None,
        raw_body: str | None = None,
        credential: str | None = LIVE_KEY,
        headers: Mapping[str, str] | None = None,
        source_ip: str | None = None,
    ) -> Answer:
        """Send the request of an event file, with what is given here in its place.

        body: goes out as JSON. raw_body: goes out as it is. credential: what the Authorization header bears.
        """
        event = load_event(event_name)
        event["headers"] = {k: v for k, v in event["headers"].items() if k.lower() != "idempotency-key"}
        event["headers"] |= {"Authorization": f"Bearer {credential}"} if credential else {}
        event["headers"] |= headers or {}
        event["multiValueHeaders"] = {name: [value] for name, value in event["headers"].items()}
        if not credential:
            event["headers"].pop("Authorization")
        if id is not None:
            event["path"] = event["path"].replace(event["pathParameters"]["id"], id)
            event["pathParameters"]["id"] = id
        if body is not None or raw_body is not None:
            event["body"] = raw_body if raw_body is not None else json.dumps(body)
        if source_ip:
            event["requestContext"]["identity"]["sourceIp"] = source_ip
        if isinstance(body, Mapping) and isinstance(body.get("phone"), str):
            self.phones.add(body["phone"])
        return self.pass_gateway(event)

    def pass_gateway(self, event: dict[str, Any]) -> Answer:
        """What API Gateway does: ask the authorizer, apply its policy, hand the event to the route's function.

        The authorizer's `methodArn` is the same at every address.
        """
        context = event["requestContext"]
        route = (event["httpMethod"], event["resource"])
        if not event["resource"].startswith("/webhooks/"):
            authorization = event["headers"].get("Authorization")
            if authorization is None:
                return Answer(401, {}, {"code": "unauthorized"})
            arn = f"arn:aws:execute-api:eu-central-1:123456789012:{context['apiId']}/v1/{route[0]}{event['path']}"
            authorizer = load_event("authorize") | {"authorizationToken": authorization, "methodArn": arn}
            try:
                answer = json.loads(json.dumps(authorize.handler(authorizer, None)))
            except Busy:  # the gateway's own answer to an authorizer that fails
                return Answer(503, {}, {"code": "busy"})
            except Exception as error:
                if str(error) != "Unauthorized":
                    raise
                return Answer(401, {}, {"code": "unauthorized"})
            if not allows(answer["policyDocument"], arn):
                return Answer(403, {}, {"code": "forbidden"})
            given = {name: str(value) for name, value in answer["context"].items()}
            context["authorizer"] = {"principalId": answer["principalId"], "integrationLatency": 12} | given
        if self.at_custom_domain:
            event = custom_domain(event)
        return self._note(answer_of(HANDLERS[route](event, None)))

    def start(self, phone: str = PHONE, *, event: str = "start_telefon_ip", **more: Any) -> Answer:
        """Start by the given fields alone; `credential` and `headers` are the request's."""
        request = {name: more.pop(name) for name in ("credential", "headers") if name in more}
        return self.send(event, body={"phone": phone} | more, **request)

    def status(self, id: str, **more: Any) -> Answer:  # noqa: A002
        return self.send("status", id=id, **more)

    def check(self, id: str, code: Any, **more: Any) -> Answer:  # noqa: A002
        return self.send("check_wrong", id=id, body={"code": code}, **more)

    def another_way(self, id: str, phone: str, method: str, **more: Any) -> Answer:  # noqa: A002
        return self.send("switch", id=id, body={"phone": phone, "method": method}, **more)

    # The world

    def code(self, phone: str) -> str:
        """The code of the last flash call that reached this phone."""
        return str(self.simulators.incoming(phone)[-1]["from"][-4:])

    def wrong_code(self, phone: str) -> str:
        return "1111" if self.code(phone) != "1111" else "2222"

    def dial(self, started: Answer, caller: str) -> None:
        """`caller` dials the number of the challenge; the vendor's webhook arrives before this returns."""
        self.simulators.dial(caller, started["challenge"]["number"])

    def requests(self, provider: str | None = None) -> list[str]:
        """What the vendors were asked, oldest first, as action names."""
        path = f"/requests?provider={provider}" if provider else "/requests"
        return [request["action"] for request in self.simulators.get(path)["requests"]]

    def paid_calls(self) -> int:
        return int(self.simulators.get("/requests")["paid_calls"])

    def put(self, pk: str, **attributes: str) -> None:
        """Write into an item of the table."""
        for name, value in attributes.items():
            aws_client("dynamodb").update_item(
                TableName=TABLE,
                Key={"pk": {"S": pk}},
                UpdateExpression="SET #name = :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": {"S": value}},
            )

    def set_credentials(self, credentials: object) -> None:
        put_secret("provider-credentials", json.dumps(credentials))
        clear_caches()

    def metrics(self) -> Counter[str]:
        """How often each metric was counted."""
        return Counter(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] for line in self._metric_lines())

    def measured(self, metric: str) -> list[tuple[Any, ...]]:
        """Each value of a metric, oldest first, and after it the values of its dimensions."""
        lines = [line for line in self._metric_lines() if metric in line]
        return [
            (*line[metric], *map(line.get, line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0])) for line in lines
        ]

    def _metric_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.logged().splitlines() if line.startswith('{"_aws"')]

    # Inside

    def _deliver(self, webhook: Webhook) -> tuple[int, str]:
        """Bring a simulated vendor's report to its route."""
        url = urlsplit(webhook.url)
        path = url.path.removeprefix("/v1")
        telefon_ip = path.startswith("/webhooks/telefon-ip/")
        event = load_event("webhook_telefon_ip" if telefon_ip else "webhook_smsc")
        event["httpMethod"], event["path"] = webhook.method, path
        event["pathParameters"] = path_parameters(event["resource"], path)
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(url.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        event["multiValueQueryStringParameters"] = query or None
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()} or None
        event["body"] = "&".join(f"{name}={value}" for name, value in webhook.form.items()) if webhook.form else None
        answer = self.pass_gateway(event)
        self.webhook_answers.append(answer)
        return answer.status, str(answer.body)

    def send_webhook(self, webhook: Webhook) -> Answer:
        self._deliver(webhook)
        return self.webhook_answers[-1]

    def _note(self, answer: Answer) -> Answer:
        if isinstance(answer.body, dict) and "client_token" in answer.body:
            self.client_tokens.add(answer["client_token"])
        return answer

    def assert_nothing_leaked(self) -> None:
        """No number, credential or token in any log line, and none at rest."""
        text = self.logged()
        stored = repr(items(TABLE))
        phones = {re.sub(r"\D", "", phone)[-10:] for phone in self.phones}
        keys = {key for key, _, _ in API_KEYS}
        for secret in {*keys, *VENDOR_SECRETS, *self.client_tokens, PEPPER, *(p for p in phones if len(p) == 10)}:
            assert secret not in text
            assert secret not in stored
        for webhook in self.simulators.sent:
            assert urlsplit(webhook.url).path.rsplit("/", 1)[-1] not in text


def allows(policy: Mapping[str, Any], arn: str) -> bool:
    (statement,) = policy["Statement"]
    return statement["Effect"] == "Allow" and any(fnmatchcase(arn, resource) for resource in statement["Resource"])


def answer_of(response: Mapping[str, Any]) -> Answer:
    headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
    text = response["body"]
    text.encode()  # what can't be written as UTF-8 never reaches the caller
    body = json.loads(text) if "json" in headers["Content-Type"] else text
    return Answer(response["statusCode"], headers, body)


def clear_caches() -> None:
    for member in vars(wiring).values():
        if hasattr(member, "cache_clear"):
            member.cache_clear()


def environment(simulators_url: str) -> dict[str, str]:
    """The variables that template.yaml gives the functions, at its defaults."""
    return {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "TABLE_NAME": TABLE,
        "PEPPER_SECRET": "pepper",
        "PROVIDER_CREDENTIALS_SECRET": "provider-credentials",
        "API_KEYS_SECRET": "api-keys",
        "PROVIDER_ORDER": "telefon_ip,smsc,ucaller",
        "ALLOWED_COUNTRIES": "RU",
        "DEFAULT_COUNTRY": "RU",
        "RETENTION_HOURS": "24",
        "TELEFON_IP_WINDOW_SECONDS": "120",
        "UCALLER_WINDOW_SECONDS": "300",
        "SMSC_WINDOW_SECONDS": "300",
        "TELEFON_IP_START": "post",
        "SECRET_CACHE_SECONDS": "240",
        "PUBLIC_BASE_URL": "",
        "RETURN_ORIGINS": "https://shop.example",
        "ALLOWED_ORIGINS": "",
        "UCALLER_BASE_URL": f"{simulators_url}/ucaller",
        "TELEFON_IP_BASE_URL": f"{simulators_url}/telefon-ip",
        "SMSC_BASE_URL": f"{simulators_url}/smsc",
        "PHONE_COOLDOWN_SECONDS": "20",
        "PHONE_10M_LIMIT": "5",
        "IP_10M_LIMIT": "20",
        "BROWSER_10M_LIMIT": "60",
        "IP_BLOCK_10M_LIMIT": "30",
        "IP_REFUSED_10M_LIMIT": "5",
        "PHONE_DAY_LIMIT": "15",
        "PREFIX_10M_LIMIT": "30",
        "KEY_PAID_DAY_LIMIT": "1000",
        "STACK_PAID_HOUR_LIMIT": "2000",
        "KEY_FREE_HOUR_LIMIT": "20000",
        "KEY_REFUSED_HOUR_LIMIT": "300",
        "VERIFICATION_GUESS_LIMIT": "5",
        "PHONE_GUESS_LIMIT": "9",
        "POWERTOOLS_SERVICE_NAME": "start-verification",
        "POWERTOOLS_METRICS_NAMESPACE": "callverify",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }


class VendorServer:
    """The simulators on a free port, for the whole run; `simulators` is the world of the current test."""

    def __init__(self) -> None:
        self.simulators = Simulators()
        self._server = make_server(
            "127.0.0.1", 0, lambda *wsgi: self.simulators.client.application(*wsgi), threaded=True,
            request_handler=QuietHandler,
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Make wiring hand this clock to all that it builds."""
    monkeypatch.setattr(wiring, "time", SimpleNamespace(time=clock))


def create_secrets() -> None:
    """Moto is one for all tests of a process: others may have made them already."""
    client = aws_client("secretsmanager")
    for name, value in SECRETS.items():
        try:
            client.create_secret(Name=name, SecretString=value)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=value)


def put_secret(name: str, value: str) -> None:
    """Change a secret for the rest of the test."""
    aws_client("secretsmanager").put_secret_value(SecretId=name, SecretString=value)
    changed_secrets.add(name)


def restore_secrets() -> None:
    for name in changed_secrets.copy():
        put_secret(name, SECRETS[name])
    changed_secrets.clear()


def smsc_webhook(phone: str, ts: int, /, **changes: str) -> Webhook:
    """A callback of SMSC as its engine signs it, with single fields changed afterwards."""
    digits = phone.removeprefix("+")
    md5 = hashlib.md5(f"{digits}:{ts}:{SMSC_SECRET}".encode()).hexdigest()
    form = {"waitcall": "1", "phone": digits, "ts": str(ts), "md5": md5} | changes
    return Webhook("smsc", f"https://api.example/v1/webhooks/smsc/{SMSC_WEBHOOK_TOKEN}", 300, form)


log_handler: Any = telemetry.logger.registered_handler
