"""The service as in its own tests, with everything that leaves it kept: log lines, items, replies, events."""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from moto import mock_aws

from callverify.domain.keys import Keys
from callverify.domain.verification import Verification
from callverify.domain.words import Mode
from callverify.events import telemetry
from callverify.providers import registry
from callverify.store.items import verification_of_image
from simulators import accounts
from simulators.webhooks import Webhook
from tests.stack.leaks.searcher import Searcher
from tests.support import surroundings
from tests.support.gateway import Api
from tests.support.handlers import Answer
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import VendorServer

USER, STRANGER = "+79000004183", "+79000009276"
SIGNING_SECRET = "whsec_" + "ZmFrZS1zaWduaW5nLXNlY3JldC1vZi10aGUtdGVzdHM="
EVENT_URL_TOKEN = "fake-token-in-the-path-of-a-customers-url"
METADATA, REFERENCE, ADDRESS = "canary-of-a-metadata-value", "canary-of-a-reference", "198.51.100.213"
CODE = Keys.code  # also while a test has it fail
SIGNATURE_LENGTH = 32  # of the shortest hash that a vendor signs with
# What is ours to choose, and looked for under a name of its own.
WEBHOOK_TOKENS = {str(given["webhook_token"]) for given in CREDENTIALS.values() if "webhook_token" in given}
SIGNING_SECRETS = {
    secret for name, given in CREDENTIALS.items() for secret in accounts.signing_secret(name, given).values()
}
VENDOR_CREDENTIALS = {*surroundings.VENDOR_SECRETS} - WEBHOOK_TOKENS - SIGNING_SECRETS
# Not the service: what stands for AWS and for the vendors writes logs of its own.
AROUND = ("moto", "simulators", "werkzeug", "asyncio")


@dataclass
class Kept:
    """What left the service. `at_rest`: every write into the table. `starts`: replies to starts, apart from others."""

    api: Api
    log: io.StringIO
    read_printed: Callable[[], str]
    at_rest: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    client_tokens: set[str] = field(default_factory=set)
    webhooks: list[Webhook] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    phones: set[str] = field(default_factory=lambda: {USER, STRANGER})
    codes: set[str] = field(default_factory=set)
    images: dict[str, Any] = field(default_factory=dict)

    def logged(self) -> str:
        """All log lines and all that was printed."""
        self.log.write(self.read_printed())
        return self.log.getvalue()

    def searcher(self) -> Searcher:
        webhook_tokens = {webhook.url.split("?")[0].rsplit("/", 1)[1] for webhook in self.webhooks}
        given = [value for webhook in self.webhooks for value in (webhook.form or {}).values()]
        values = {text for value in given for text in ([value] if isinstance(value, str) else value)}
        signatures = {value for value in values if len(value) >= SIGNATURE_LENGTH}
        return Searcher(
            self.phones,
            self.codes,
            {
                "API key": {key for key, _, _ in surroundings.API_KEYS},
                "client token": {token.rsplit(".", 1)[1] for token in self.client_tokens},
                "webhook token": webhook_tokens | WEBHOOK_TOKENS,
                "vendor credential": VENDOR_CREDENTIALS,
                "vendor's signing secret": SIGNING_SECRETS,
                "pepper": {surroundings.PEPPER},
                "signing secret": {SIGNING_SECRET, EVENT_URL_TOKEN},
                "keyed hash": {self.api.keys.hash_phone(phone) for phone in self.phones},
                "raw body": {METADATA, REFERENCE, *signatures},
                "address": {ADDRESS},
            },
        )

    # What the service does, kept

    def keep_reply(self, answer: Answer) -> Answer:
        body = answer.body
        if isinstance(body, dict) and body.get("to") in self.phones:
            body = {**body, "to": ""}  # the façade tells a number to the request that names it, there alone
        text = json.dumps([body, dict(answer.headers)], ensure_ascii=False)
        token = answer.body.get("client_token") if isinstance(answer.body, dict) else None
        if page := isinstance(body, dict) and (body.get("sna") or {}).get("url"):
            token = parse_qs(urlsplit(str(page)).fragment)["token"][0]
            self.client_tokens.add(token)
        elif token:
            self.client_tokens |= {token, answer["updates"]["authorization"]["Authorization"]}
        (self.starts if token else self.replies).append(text)
        return answer

    def keep_write(self, params: dict[str, Any], **_: object) -> None:
        self.at_rest.append(json.dumps(params, default=str))

    def keep_code(self, verification: Verification) -> None:
        for attempt in verification.attempts:
            route = registry.route(attempt.provider, attempt.method)
            if route and route.code:
                self.codes.add(CODE(self.api.keys, verification.id, attempt.number, route.code.digits))

    def stream(self) -> list[dict[str, Any]]:
        """The table's stream since the last look, as images before and after of each item that changed."""
        items = surroundings.aws_client("dynamodb").scan(TableName=surroundings.TABLE)["Items"]
        now = {item["pk"]["S"]: item for item in items}
        records = []
        for pk, image in now.items():
            if image != self.images.get(pk):
                old = {"OldImage": self.images[pk]} if pk in self.images else {}
                records.append({"dynamodb": {"NewImage": image, **old}})
                if verification := verification_of_image(image):
                    self.keep_code(verification)
        self.images = now
        self.at_rest.append(json.dumps(records))
        return records

    def lambda_runs(self, handler: Callable[[dict[str, Any], Any], Any], event: dict[str, Any]) -> Any:
        """Run a function as Lambda does: what it raises goes into the log with its traceback."""
        try:
            return handler(event, None)
        except Exception:
            self.log.write(traceback.format_exc())
            return None


class _KeepingApi(Api):
    kept: Kept

    def pass_gateway(self, event: dict[str, Any]) -> Answer:
        answer = self.kept.keep_reply(super().pass_gateway(event))
        # Notes the codes that the request made.
        self.kept.stream()
        return answer


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[VendorServer]:
    server = VendorServer()
    yield server
    server.close()


@pytest.fixture(scope="package")
def aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched, mock_aws():
        patched.setenv("AWS_DEFAULT_REGION", surroundings.ENVIRONMENT["AWS_DEFAULT_REGION"])
        patched.setattr("callverify.aws.client", surroundings.aws_client)
        patched.setattr("callverify.aws.publisher_of_updates", surroundings.event_api.publisher)
        yield


@pytest.fixture
def kept(
    aws: None,  # noqa: ARG001
    vendor_server: VendorServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Kept]:
    """The service at the loudest that anything can be set to."""
    loud = {
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "EVENT_WEBHOOK_URL": f"http://127.0.0.1:9/{EVENT_URL_TOKEN}",
        "ALLOW_PRIVATE_EVENT_URL": "true",
        "EVENT_SIGNING_SECRET": "event-signing",
        "EVENT_BUS_NAME": "bus",
        "DELIVERY_QUEUE_URL": "https://queue.example",
        "FOLLOW_UP_QUEUE_URL": "https://queue.example",
    }
    for name, value in (surroundings.environment() | loud).items():
        monkeypatch.setenv(name, value)
    log = io.StringIO()
    monkeypatch.setattr(surroundings.log_handler, "stream", log)
    handler = logging.StreamHandler(log)
    handler.addFilter(lambda record: not record.name.startswith(AROUND))
    root = logging.getLogger()
    package = logging.getLogger("aws_lambda_powertools")  # does not propagate
    level = root.level
    levels_around = {name: logging.getLogger(name).level for name in AROUND}
    for name in AROUND:
        logging.getLogger(name).setLevel(logging.WARNING)
    for each in (root, package):
        each.addHandler(handler)
    root.setLevel(logging.DEBUG)
    own_level = telemetry.logger.log_level
    telemetry.logger.setLevel(logging.DEBUG)

    def printed() -> str:
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return out + err

    # AWS's own client, whose requests and log lines are what is searched.
    monkeypatch.setattr(surroundings, "dynamodb", surroundings.moto_client("dynamodb"))
    surroundings.put_all_secrets(vendor_server)
    surroundings.create_table()
    surroundings.new_container()
    api = _KeepingApi(vendor_server, log.getvalue)
    surroundings.use_clock(monkeypatch, lambda: api.simulators.now)
    api.kept = Kept(api, log, printed, webhooks=api.simulators.sent)
    hooks = surroundings.aws_client("dynamodb").meta.events
    writes = [f"before-parameter-build.dynamodb.{name}" for name in ("PutItem", "UpdateItem", "TransactWriteItems")]
    for write in writes:
        hooks.register(write, api.kept.keep_write)
    try:
        yield api.kept
    finally:
        for write in writes:
            hooks.unregister(write, api.kept.keep_write)
        for each in (root, package):
            each.removeHandler(handler)
        root.setLevel(level)
        for name, level_around in levels_around.items():
            logging.getLogger(name).setLevel(level_around)
        telemetry.logger.setLevel(own_level)
        surroundings.drop_table()
        surroundings.new_container()


@pytest.fixture(autouse=True)
def known_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids by counting, so that the codes are the same in each run: none of them may equal a port or a year."""
    counter, prefixes = iter(range(10**6)), {Mode.LIVE: "vrf_", Mode.TEST: "vrf_test_"}
    monkeypatch.setattr("callverify.service.start.new_id", lambda mode: f"{prefixes[mode]}{next(counter):026}")
