"""What an attack takes place in: the service on a table of its own, vendors that obey the attack, a clock to move."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import boto3
from botocore.config import Config

from callverify import edge, wiring
from callverify.access import Access
from callverify.keys import Keys
from callverify.models import (
    Caller,
    CallerKind,
    Deadline,
    Mode,
    Outcome,
    ProviderName,
    Scope,
    Unit,
    Verification,
)
from callverify.providers import PROVIDERS
from callverify.providers.base import Provider, ProviderSettings
from callverify.providers.http import Answer, VendorHttp
from callverify.service import DEFAULT_WINDOWS, Policy, Service
from callverify.store import Store
from callverify.telemetry import Telemetry
from functions.check_status import app as check_status
from functions.receive_webhook import app as receive_webhook
from functions.start_verification import app as start_verification
from local.aws import EmbeddedAws
from local.processes import free_port

PEPPER = "PepperOfTheAttacksPepperOfTheAttacksPepperOfTheAttacksPepperOfTh"
SMSC_SECRET = "fake-callback-secret"
SMSC_TOKEN = "fake-token-of-the-account"
CREDENTIALS: Mapping[ProviderName, Mapping[str, Any]] = {
    ProviderName.UCALLER: {"key": "fake-key", "service_id": 103000},
    ProviderName.TELEFON_IP: {"token": "fake-token"},
    ProviderName.SMSC: {
        "login": "fake",
        "psw": "fake",
        "callback_secret": SMSC_SECRET,
        "webhook_token": SMSC_TOKEN,
    },
}
# The middle of a day, and not the turn of an hour.
NOON = 1_800_000_000 - 1_800_000_000 % 86_400 + 12 * 3600 + 1234
ENVIRONMENT = {
    "POWERTOOLS_METRICS_NAMESPACE": "callverify",
    "POWERTOOLS_SERVICE_NAME": "attacks",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}
BASE_URL = "https://api.example/v1"


@contextmanager
def dynamodb() -> Iterator[Any]:
    """A DynamoDB client of an embedded AWS that runs until the block ends: its transactions are atomic."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        aws = EmbeddedAws(free_port())
        stack.enter_context(aws.running(Path(directory)))
        aws.wait()
        session = boto3.Session("local", "local", region_name=aws.environment["AWS_REGION"])
        yield session.client("dynamodb", endpoint_url=aws.endpoint, config=Config(max_pool_connections=64))


@dataclass(frozen=True, slots=True)
class Call:
    """What a vendor was asked for: `verification_id` where the request says it (smsc's does not)."""

    provider: ProviderName
    at: int
    phone: str
    verification_id: str
    repeat: bool = False


class Vendors(VendorHttp):
    """The three vendors at the other end of the line. They note what they are asked, and say what the attack wants.

    checks: what telefon-ip answers to a check, by the id of its call; by default the call has not come yet.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.calls: list[Call] = []
        self.checks: dict[str, bytes] = {}
        self._ids = count(22_760)
        self._lock = threading.Lock()
        self._uniques: dict[str, tuple[str, str]] = {}

    def send(
        self,
        method: str,  # noqa: ARG002
        url: str,
        *,
        deadline: Deadline,  # noqa: ARG002
        params: Mapping[str, str] | None = None,  # noqa: ARG002
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Answer:
        with self._lock:
            action = url.rsplit("/", 1)[1]
            match action:
                case "initCall":
                    return self._init_call(json)
                case "initRepeat":
                    return self._init_repeat(str(json["uid"]))
                case "reverse_auth_phone_post":
                    return self._reverse(json)
                case "wait_call.php":
                    number = next(self._ids)
                    self._note(ProviderName.SMSC, f"+{(form or {})['phone']}", "")
                    return _answer({"phone": f"7900002{number % 10_000:04}"})
                case _:  # a check, by the id at the end
                    pending = {"success": True, "data": {"id": int(action), "phone": "", "status": "pending"}}
                    return Answer(200, self.checks.get(action) or _answer(pending).body)

    def _init_call(self, request: Any) -> Answer:
        call_id, phone = next(self._ids), f"+{request['phone']}"
        verification_id = str(request["unique"]).rpartition("-")[0]
        self._uniques[str(call_id)] = (phone, verification_id)
        self._note(ProviderName.UCALLER, phone, verification_id)
        return _answer({"status": True, "ucaller_id": call_id, "code": request["code"]})

    def _init_repeat(self, call_id: str) -> Answer:
        phone, verification_id = self._uniques[call_id]
        self._note(ProviderName.UCALLER, phone, verification_id, repeat=True)
        return _answer({"status": True, "ucaller_id": next(self._ids), "free_repeated": True})

    def _reverse(self, request: Any) -> Answer:
        call_id = next(self._ids)
        verification_id = request["webhook"].split("/")[-2]
        self._note(ProviderName.TELEFON_IP, f"+7{request['phone'][1:]}", verification_id)
        return _answer({"success": True, "data": {"id": call_id, "auth_phone": f"7900001{call_id % 10_000:04}"}})

    def _note(self, provider: ProviderName, phone: str, verification_id: str, *, repeat: bool = False) -> None:
        self.calls.append(Call(provider, int(self._clock()), phone, verification_id, repeat))


def _answer(body: Mapping[str, Any]) -> Answer:
    return Answer(200, json.dumps(body).encode())


class Counts:
    """The service's observer: how often each metric was counted."""

    def __init__(self) -> None:
        self.metrics: Counter[str] = Counter()

    def about(self, verification_id: str) -> None:
        pass

    def count(self, metric: str, **_dimensions: str) -> None:
        self.metrics[metric] += 1

    def measure(self, metric: str, value: float, unit: Unit, **_dimensions: str) -> None:
        pass

    def provider_answered(self, verification: Verification, action: str, outcome: Outcome) -> None:
        pass


@dataclass
class World:
    """The service, its store, its vendors. `now` is everybody's time, and only the attack moves it."""

    client: Any
    policy: Policy = field(default_factory=Policy)
    now: float = NOON

    def __post_init__(self) -> None:
        self.table = f"attack-{uuid4()}"
        self.client.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        self.keys: Keys = Keys(PEPPER)
        # Attackers wait less than others do between two tries of a transaction: that is when things meet.
        self.store = Store(self.client, self.table, sleep=lambda seconds: time.sleep(seconds / 20))
        self.vendors = Vendors(self.clock)
        self.counts = Counts()
        self.providers: dict[ProviderName, Provider] = {
            name: PROVIDERS[name].configure(CREDENTIALS[name], self._settings(name))
            for name in self.policy.provider_order
        }
        self.use_keys(self.keys)

    def use_keys[K: Keys](self, keys: K) -> K:
        """Have the service derive with these from now on."""
        self.keys = keys
        self.service = Service(
            store=self.store,
            keys=keys,
            policy=self.policy,
            providers=lambda: self.providers,
            observer=self.counts,
            clock=self.clock,
        )
        return keys

    def clock(self) -> float:
        return self.now

    def _settings(self, name: ProviderName) -> ProviderSettings:
        windows = self.policy.windows or DEFAULT_WINDOWS
        return ProviderSettings("https://vendor.example", windows[name], self.vendors, self.keys.webhook_token)

    def verified(self) -> set[str]:
        """The ids of all verifications that are stored as verified."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {
            item["id"]["S"]
            for page in pages
            for item in page["Items"]
            if item["pk"]["S"].startswith("verification#") and item["status"]["S"] == "verified"
        }

    # Asking the service directly

    def start(self, caller: Caller, phone: str, **fields: Any) -> Verification:
        """Raises what a start raises."""
        body = json.dumps({"phone": phone} | fields)
        return self.service.start(caller, body, idempotency_key=None, base_url=BASE_URL).verification

    def repeat(self, caller: Caller, verification_id: str, **fields: Any) -> Verification:
        return self.service.repeat(
            caller, verification_id, json.dumps(fields), idempotency_key=None, base_url=BASE_URL
        ).verification


def server(name: str = "a", mode: Mode = Mode.LIVE) -> Caller:
    """A customer's server, by its API key."""
    key_id = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Caller(CallerKind.API_KEY, key_id=key_id, mode=mode, scopes=frozenset(Scope))


def browser(verification: Verification, address: str, now: float) -> Caller:
    """A browser with the client token of a verification."""
    return Caller(
        CallerKind.CLIENT_TOKEN,
        verification_id=verification.id,
        expires_at=int(now) + 1800,
        address=address,
    )


def phone_number(number: int) -> str:
    """One of 8,000 numbers that are nobody's. Left out are the test numbers, and 1,000 that no attack starts with."""
    return f"+7900000{1_000 + number % 8_000:04}"


# Through the functions' handlers


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


ROUTES: Mapping[tuple[str, str], Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    ("POST", "/verifications"): start_verification.handler,
    ("POST", "/verifications/{id}/repeat"): start_verification.handler,
    ("POST", "/verifications/{id}/cancel"): start_verification.handler,
    ("GET", "/verifications/{id}"): check_status.handler,
    ("POST", "/verifications/{id}/check"): check_status.handler,
    ("GET", "/events"): check_status.handler,
    ("GET", "/webhooks/telefon-ip/{id}/{token}"): receive_webhook.handler,
    ("POST", "/webhooks/telefon-ip/{id}/{token}"): receive_webhook.handler,
    ("GET", "/webhooks/smsc/{token}"): receive_webhook.handler,
    ("POST", "/webhooks/smsc/{token}"): receive_webhook.handler,
}


class Gateway:
    """API Gateway in front of the handlers: authorizer, its policy, the request's context."""

    def __init__(self, world: World, api_keys: Sequence[Mapping[str, Any]] = ()) -> None:
        self._world = world
        self.api_keys = list(api_keys)
        self.access = Access(
            keys=lambda: world.keys,
            read_api_keys=lambda _force: json.dumps(self.api_keys),
            clock=world.clock,
            fault=lambda _: None,
        )
        self._authorize = edge.authorizer(lambda: self.access, Telemetry)

    def send(
        self,
        method: str,
        resource: str,
        *,
        parameters: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
        body: str | None = None,
        base64: bool = False,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        source_ip: str = "192.0.2.1",
        judged_at: tuple[str, str] | None = None,
        applies_policy: bool = True,
        cached_for: float = 0,
    ) -> Response:
        """Send one request.

        judged_at: another (method, path), for which the gateway asked the authorizer before. applies_policy: False for
        a gateway that lets pass whatever the authorizer knows, so that the function is the only one to judge.
        cached_for: seconds since the authorizer was asked, whose answer the gateway keeps.
        """
        path = resource.format(**(parameters or {}))
        context: dict[str, Any] = {
            "requestId": "request",
            "domainName": "api.example",
            "stage": "v1",
            "identity": {"sourceIp": source_ip},
        }
        given = dict(headers or {})
        if not resource.startswith("/webhooks/"):
            if credential is None:
                return Response(401, {})
            given["Authorization"] = f"Bearer {credential}"
            self._world.now -= cached_for
            answer = self.authorize(credential, *(judged_at or (method, path)))
            self._world.now += cached_for
            if answer is None:
                return Response(401, {})
            if applies_policy and not allows(answer["policyDocument"], arn(method, path)):
                return Response(403, {})
            context["authorizer"] = {name: str(value) for name, value in answer["context"].items()}
        several: dict[str, list[str]] = {}
        for name, value in query:
            several.setdefault(name, []).append(value)
        event = {
            "resource": resource,
            "path": path,
            "httpMethod": method,
            "headers": given,
            "multiValueHeaders": {name: [value] for name, value in given.items()},
            "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
            "multiValueQueryStringParameters": several or None,
            "pathParameters": dict(parameters or {}) or None,
            "stageVariables": None,
            "requestContext": context,
            "body": body,
            "isBase64Encoded": base64,
        }
        reply = ROUTES[method, resource](event, None)
        text = reply["body"]
        is_json = "json" in reply["multiValueHeaders"]["Content-Type"][0]
        found = {name: values[0] for name, values in reply["multiValueHeaders"].items()}
        return Response(reply["statusCode"], json.loads(text) if is_json else text, found)

    def authorize(self, credential: str, method: str, path: str) -> dict[str, Any] | None:
        """The authorizer's answer, or None where the gateway answers 401."""
        event = {"type": "TOKEN", "authorizationToken": f"Bearer {credential}", "methodArn": arn(method, path)}
        try:
            return self._authorize(event, None)
        except Exception as error:
            if str(error) != "Unauthorized":  # any other word is a 500 at the gateway
                raise
            return None


def arn(method: str, path: str) -> str:
    return f"arn:aws:execute-api:eu-central-1:123456789012:api/v1/{method}{path}"


def allows(policy: Mapping[str, Any], wanted: str) -> bool:
    """What API Gateway makes of a policy: `*` stands for anything, slashes too, and nothing else is special."""
    return any(
        statement["Effect"] == "Allow" and any(_matches(wanted, resource) for resource in statement["Resource"])
        for statement in policy["Statement"]
    )


def _matches(text: str, pattern: str) -> bool:
    head, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(head):
        return False
    at = len(head)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


@contextmanager
def gateway(world: World, api_keys: Sequence[Mapping[str, Any]] = ()) -> Iterator[Gateway]:
    """The handlers wired to this world, and what they print kept from the terminal."""
    with (
        mock.patch.object(wiring, "service", return_value=world.service),
        mock.patch.dict(os.environ, ENVIRONMENT),
        redirect_stdout(io.StringIO()),
    ):
        yield Gateway(world, api_keys)
