"""What the functions stand in, in one process: their environment, moto's secrets, the table, the simulated vendors.

All of it is as template.yaml says; what refers to a resource has its logical id for a name.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from werkzeug.serving import make_server

from callverify.events import telemetry
from callverify.runtime import secrets, wiring
from callverify.store.items import deserialized
from simulators.__main__ import QuietHandler
from tests.support import template
from tests.support.policies import JudgedDynamoDb
from tests.support.simulators import CREDENTIALS, Simulators

FOLDERS = (
    "authorize",
    "start_verification",
    "check_status",
    "receive_webhook",
    "manage_records",
    "twilio_verify",
    "follow_up",
    "cognito_triggers",
)
# Defaults would show little: a test that is about them says so.
# One route of each kind: reverse calls that are read back, reverse calls by a signed report, flash calls with our code.
# For tests that are about what the service makes of a kind, and count or fault the vendors that they know.
THREE_ROUTES = {"ProviderOrder": "telefon_ip:reverse_call,smsc:reverse_call,ucaller:flash_call"}
USER_POOL = "eu-central-1_AbCdEf123"
SHOWING = {
    "ReturnOrigins": "https://shop.example",
    "LogLevel": "DEBUG",
    "CognitoUserPoolArn": f"arn:aws:cognito-idp:eu-central-1:123456789012:userpool/{USER_POOL}",
}


def environment(**parameters: str) -> dict[str, str]:
    """The variables that template.yaml gives the functions behind the gateway, all of them together."""
    found = {"AWS_DEFAULT_REGION": "eu-central-1"}
    for folder in FOLDERS:
        found |= template.environment(folder, **SHOWING | parameters)
    return found


ENVIRONMENT = environment()
TABLE, INDEX_TABLE = ENVIRONMENT["TABLE_NAME"], ENVIRONMENT["INDEX_TABLE_NAME"]
PEPPER_SECRET, KEYS_SECRET = ENVIRONMENT["PEPPER_SECRET"], ENVIRONMENT["API_KEYS_SECRET"]
CREDENTIALS_SECRET = ENVIRONMENT["PROVIDER_CREDENTIALS_SECRET"]

PEPPER = "PepperOfTheTestsPepperOfTheTestsPepperOfTheTestsPepperOfTheTests"
LIVE_KEY = "cv_live_" + "L" * 43
OTHER_LIVE_KEY = "cv_live_" + "O" * 43
TEST_KEY = "cv_test_" + "T" * 43
READ_KEY = "cv_live_" + "R" * 43
WRITE_KEY = "cv_live_" + "W" * 43
NO_SCOPE_KEY = "cv_live_" + "N" * 43
SUPPORT_KEY = "cv_live_" + "S" * 43
READ, WRITE, SEARCH = "verifications:read", "verifications:write", "verifications:search"
BLOCK, ERASE = "verifications:block", "verifications:erase"
API_KEYS = [
    (LIVE_KEY, [READ, WRITE, BLOCK, ERASE], "live"),
    (OTHER_LIVE_KEY, [READ, WRITE], "live"),
    (TEST_KEY, [READ, WRITE, BLOCK, ERASE], "test"),
    (READ_KEY, [READ], "live"),
    (WRITE_KEY, [WRITE], "live"),
    (NO_SCOPE_KEY, [], "live"),
    (SUPPORT_KEY, [READ, SEARCH], "live"),
]
VENDOR_SECRETS = tuple(value for given in CREDENTIALS.values() for value in given.values() if isinstance(value, str))


def api_key(key: str, **changes: Any) -> dict[str, Any]:
    """An entry of the secret `api-keys`."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"name": "k", "sha256": digest, "scopes": [READ], "mode": "live"} | changes


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

    def at(self, credentials: object) -> object:
        """`provider-credentials` with each provider that names no address at its simulator; else as it is."""
        if not isinstance(credentials, Mapping):
            return credentials
        return {
            name: {"base_url": f"{self.url}/{name}", **given} if isinstance(given, Mapping) else given
            for name, given in credentials.items()
        }

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# AWS

# Loading boto3's models takes longer than a whole test.
moto_client: Callable[..., Any] = cache(boto3.client)
dynamodb = JudgedDynamoDb()


class Queue:
    """Keeps what is sent: how many seconds later it is due, and the message."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:  # noqa: ARG002, N803
        self.sent.append((DelaySeconds, MessageBody))


class UserPool:
    """Cognito's API for administrators: keeps what it was asked to do, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def ask(**request: Any) -> dict[str, Any]:
            self.asked.append((operation, request))
            return {}

        return ask


queue = Queue()
user_pool = UserPool()
log_handler: Any = telemetry.logger.registered_handler


def aws_client(service: str) -> Any:
    own = {"dynamodb": dynamodb, "sqs": queue, "cognito-idp": user_pool}
    return own.get(service) or moto_client(service)


class EventApi:
    """AppSync's, for `callverify.aws.publisher_of_updates`: it keeps what it is sent, or fails."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def publisher(self, host: str, _seconds: float) -> Callable[[bytes], None]:
        assert host == "UpdatesApi.Dns.Http"

        def publish(message: bytes) -> None:
            if self.error:
                raise self.error
            self.messages.append(json.loads(message))

        return publish

    def told(self) -> list[dict[str, Any]]:
        """The resources in its messages."""
        return [json.loads(event) for message in self.messages for event in message["events"]]


event_api = EventApi()


def create_table() -> None:
    for name in (TABLE, INDEX_TABLE):
        aws_client("dynamodb").create_table(**template.table_definition(name, template.RESOURCES[name]["Properties"]))


def drop_table() -> None:
    for name in (TABLE, INDEX_TABLE):
        aws_client("dynamodb").delete_table(TableName=name)


def items() -> list[dict[str, Any]]:
    """All that requests left in the table: not the pepper's fingerprint, which a start-up does."""
    every = map(deserialized, aws_client("dynamodb").scan(TableName=TABLE)["Items"])
    return [item for item in every if item["pk"] != "pepper"]


def put_secret(name: str, text: str) -> None:
    """Moto is one for all tests of a process: a secret may be there already."""
    client = aws_client("secretsmanager")
    try:
        client.create_secret(Name=name, SecretString=text)
    except ClientError:
        client.put_secret_value(SecretId=name, SecretString=text)


def put_api_keys(entries: object) -> None:
    put_secret(KEYS_SECRET, entries if isinstance(entries, str) else json.dumps(entries))


def put_all_secrets(vendors: VendorServer) -> None:
    put_secret(PEPPER_SECRET, PEPPER)
    put_secret(CREDENTIALS_SECRET, json.dumps(vendors.at(CREDENTIALS)))
    put_api_keys([api_key(key, name=mode, scopes=scopes, mode=mode) for key, scopes, mode in API_KEYS])


# A container


def new_container() -> None:
    """Forget all that the wiring has put together."""
    for module in (wiring, secrets):
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


def use_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Have this clock handed to all that is put together."""
    for module in (wiring, secrets):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock))
