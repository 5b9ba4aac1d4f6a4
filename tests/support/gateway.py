"""The deployed service in one process: the handlers behind a small gateway, in the surroundings of `surroundings`.

Every request is made from a file of events/, so that those files are what `sam local invoke` and the tests share.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from callverify.domain.errors import Busy
from callverify.domain.keys import Keys
from callverify.store.items import verification_of
from functions.authorize import app as authorize
from functions.follow_up import app as follow_up
from simulators import accounts
from simulators.webhooks import Webhook
from tests.support import histories, surroundings
from tests.support.forgeries import forger
from tests.support.handlers import HANDLERS, WEBHOOKS, Answer, answer_of
from tests.support.logs import Measured, metrics_of
from tests.support.simulators import CREDENTIALS, Simulators
from tests.support.surroundings import (
    API_KEYS,
    CREDENTIALS_SECRET,
    LIVE_KEY,
    PEPPER,
    TABLE,
    VENDOR_SECRETS,
    VendorServer,
)

EVENTS = Path(__file__).parents[2] / "events"
PHONE = "+79000000011"
CUSTOM_DOMAIN = "verify.example.com"
WEBHOOK_BASE = "https://api.example/v1"


def load_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def custom_domain(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same request as API Gateway hands it over when it came to a custom domain, where `path` has the base path."""
    context = event["requestContext"] | {"domainName": CUSTOM_DOMAIN, "domainPrefix": CUSTOM_DOMAIN.partition(".")[0]}
    headers = event["headers"] | {"Host": CUSTOM_DOMAIN}
    several = event["multiValueHeaders"] | {"Host": [CUSTOM_DOMAIN]}
    path = f"/{context['stage']}{event['path']}"
    return {**event, "path": path, "headers": headers, "multiValueHeaders": several, "requestContext": context}


def webhook_event(path: str, method: str, **more: Any) -> dict[str, Any]:
    """A provider's report to a path below the stage, such as /webhooks/<provider>/<token>."""
    event = load_event("webhook_smsc" if method == "POST" else "webhook_telefon_ip")
    _, _, provider, rest = path.split("/", 3)
    assert event["resource"] == WEBHOOKS
    query = {"queryStringParameters": None, "multiValueQueryStringParameters": None}
    parameters = {"provider": provider, "rest": rest}
    return {**event, "path": path, "httpMethod": method, "pathParameters": parameters, "body": None, **query, **more}


class Gateway:
    """API Gateway: asks the authorizer, applies its policy, and hands an event to the route's function."""

    def __init__(self) -> None:
        self.at_custom_domain = False

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
        return self.pass_gateway(event)

    def pass_gateway(self, event: dict[str, Any]) -> Answer:
        """What becomes of a request. The authorizer's `methodArn` is the same at every address."""
        context = event["requestContext"]
        route = (event["httpMethod"], event["resource"])
        if event["resource"] != WEBHOOKS:
            arn = f"arn:aws:execute-api:eu-central-1:123456789012:{context['apiId']}/v1/{route[0]}{event['path']}"
            found = self._authorized(event["headers"].get("Authorization"), arn)
            if isinstance(found, Answer):
                return found
            context["authorizer"] = found
        if self.at_custom_domain:
            event = custom_domain(event)
        return answer_of(HANDLERS[route](event, None))

    @staticmethod
    def _authorized(authorization: str | None, arn: str) -> Answer | dict[str, Any]:
        """What the authorizer says of a caller, or the gateway's own answer."""
        if authorization is None:
            return Answer(401, {}, {"code": "unauthorized"})
        event = load_event("authorize") | {"authorizationToken": authorization, "methodArn": arn}
        try:
            answer = json.loads(json.dumps(authorize.handler(event, None)))
        except Busy:  # the gateway's own answer to an authorizer that fails
            return Answer(503, {}, {"code": "busy"})
        except Exception as error:
            if str(error) != "Unauthorized":
                raise
            return Answer(401, {}, {"code": "unauthorized"})
        if not allows(answer["policyDocument"], arn):
            return Answer(403, {}, {"code": "forbidden"})
        given = {name: str(value) for name, value in answer["context"].items()}
        return {"principalId": answer["principalId"], "integrationLatency": 12} | given

    # The calls of the API

    def start(self, phone: str = PHONE, *, event: str = "start_telefon_ip", **more: Any) -> Answer:
        """Start by the given fields alone; `credential` and `headers` are the request's."""
        request = {name: more.pop(name) for name in ("credential", "headers") if name in more}
        return self.send(event, body={"phone": phone} | more, **request)

    def status(self, id: str, **more: Any) -> Answer:  # noqa: A002
        return self.send("status", id=id, **more)

    def check(self, id: str, code: Any, **more: Any) -> Answer:  # noqa: A002
        return self.send("check_wrong", id=id, body={"code": code}, **more)

    def repeat(self, id: str, **more: Any) -> Answer:  # noqa: A002
        return self.send("repeat", id=id, **more)

    def switch(self, id: str, phone: str, method: str, **more: Any) -> Answer:  # noqa: A002
        return self.send("switch", id=id, body={"phone": phone, "method": method}, **more)

    def cancel(self, id: str, **more: Any) -> Answer:  # noqa: A002
        return self.send("cancel", id=id, **more)

    def send_webhook(self, webhook: Webhook) -> Answer:
        """Bring a vendor's report to its route."""
        url = urlsplit(webhook.url)
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(url.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        event = webhook_event(
            url.path.removeprefix("/v1"),
            webhook.method,
            multiValueQueryStringParameters=query or None,
            queryStringParameters={name: values[-1] for name, values in query.items()} or None,
            body=urlencode(webhook.form) if webhook.form else None,
        )
        return self.pass_gateway(event)


class Api(Gateway):
    """The service as its callers meet it, the vendors, and the clock that all of them share."""

    def __init__(self, vendors: VendorServer, logged: Callable[[], str]) -> None:
        """The vendors' simulators are new ones. logged: all that was logged and printed so far."""
        super().__init__()
        self.vendors = vendors
        self.simulators = vendors.simulators = Simulators()
        self.simulators.on_webhook = self._hear
        self.simulators.fill_cabinets(WEBHOOK_BASE)
        self.logged = logged
        self.keys = Keys(PEPPER)
        self.webhook_answers: list[Answer] = []
        self.phones = {PHONE}
        self.client_tokens: set[str] = set()

    # Time

    @property
    def now(self) -> int:
        return int(self.simulators.now)

    def advance(self, seconds: float) -> None:
        self.simulators.advance(seconds)

    def ask(self, id: str, attempt: int = 1) -> None:  # noqa: A002
        """A question to the provider that is due."""
        self._follow_up(json.dumps({"verification_id": id, "attempt": attempt, "ask_at": [1]}))

    def bring_follow_up(self) -> None:
        """Let the time go by until the follow-up that was sent first is due, and bring it."""
        delay, message = surroundings.queue.sent.pop(0)
        self.advance(delay)
        self._follow_up(message)

    @staticmethod
    def _follow_up(message: str) -> None:
        event = load_event("follow_up")
        event["Records"] = [event["Records"][0] | {"body": message}]
        assert follow_up.handler(event, None) == {"batchItemFailures": []}

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
            surroundings.aws_client("dynamodb").update_item(
                TableName=TABLE,
                Key={"pk": {"S": pk}},
                UpdateExpression="SET #name = :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": {"S": value}},
            )

    def set_credentials(self, credentials: object) -> None:
        """Put the secret `provider-credentials`. A provider that names no address is found at its simulator."""
        surroundings.put_secret(CREDENTIALS_SECRET, json.dumps(self.vendors.at(credentials)))
        surroundings.new_container()

    def configure(self, provider: str, **settings: object) -> None:
        """Change some of what `provider-credentials` says of a provider, the others as ever."""
        self.set_credentials({**CREDENTIALS, provider: {**CREDENTIALS[provider], **settings}})

    def metrics(self) -> Counter[str]:
        """How often each metric was counted."""
        return Counter(name for name, *_ in self._measured())

    def measured(self, metric: str) -> list[tuple[Any, ...]]:
        """Each value of a metric, oldest first, and after it the values of its dimensions."""
        return [(value, *dimensions.values()) for name, _, value, dimensions in self._measured() if name == metric]

    def _measured(self) -> list[Measured]:
        return [each for line in self.logged().splitlines() for each in metrics_of(json.loads(line))]

    # What goes through, noted

    def send(self, event_name: str, *, body: Any = None, **more: Any) -> Answer:
        if isinstance(body, Mapping) and isinstance(body.get("phone"), str):
            self.phones.add(body["phone"])
        return super().send(event_name, body=body, **more)

    def pass_gateway(self, event: dict[str, Any]) -> Answer:
        answer = super().pass_gateway(event)
        if isinstance(answer.body, dict) and "client_token" in answer.body:
            self.client_tokens.add(answer["client_token"])
            if updates := answer.body.get("updates"):
                self.client_tokens.add(updates["authorization"]["Authorization"])
        return answer

    def _hear(self, webhook: Webhook) -> tuple[int, str]:
        answer = self.send_webhook(webhook)
        self.webhook_answers.append(answer)
        return answer.status, str(answer.body)

    def judge_histories(self) -> None:
        """Of all verifications that there are; printed, which pytest shows of a test that fails."""
        for item in surroundings.items():
            if record := verification_of(item):
                print(histories.judge(record, self.now))

    def assert_nothing_leaked(self) -> None:
        """No number, credential or token in any log line, and none at rest."""
        text = self.logged()
        stored = repr(surroundings.items())
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


def smsc_webhook(phone: str, ts: int, /, **changes: str) -> Webhook:
    """A callback of SMSC as its engine signs it, with single fields changed afterwards."""
    form = dict(forger("smsc", CREDENTIALS["smsc"]).report(phone, "", ts)) | changes
    url = accounts.webhook_url("smsc", CREDENTIALS["smsc"], WEBHOOK_BASE)
    assert url
    return Webhook("smsc", url, 300, form)
