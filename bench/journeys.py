"""The events of each step of a verification, from the files of events/, and what happens at the telephone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from bench.kinds import KINDS, UNANSWERED, kind_of
from bench.lambda_runtime import Function, Invocation
from bench.world import API_KEY, TABLE, World
from callverify.providers.base import Route
from local.build import ROOT
from tests.support.simulators import code_in


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


class Person:
    """One of many: each has a phone, an address and a block of numbers of their own, so that no limit is met."""

    _count = 0

    def __init__(self) -> None:
        Person._count += 1
        self.number = Person._count
        self.phone = f"+7900{100 + self.number % 800}{self.number:04}"
        self.address = f"198.18.{self.number // 250}.{self.number % 250 + 1}"


class Journey:
    """One verification, step by step: each method gives the event of a step."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.manifest, self.route = KINDS[kind]
        self.person = Person()
        self.id = ""
        self._image: Any = None
        self._challenge: Mapping[str, Any] = {}
        self._said = ""

    def authorize(self) -> dict[str, Any]:
        return load("authorize") | {"authorizationToken": f"Bearer {API_KEY}"}

    def start(self) -> dict[str, Any]:
        wish = {"provider": self.manifest.name, "method": self.route.method}
        body = {"phone": self.person.phone, **wish, "end_user_ip": self.person.address}
        more = {"reference": f"order-{self.person.number}", "metadata": {"cart": "7"}, "locale": "ru"}
        event = load("cancel") | {"resource": "/verifications", "path": "/verifications", "pathParameters": None}
        event["body"] = json.dumps(body | more)
        key = f"order-{self.person.number}"
        for name, value in {"content-type": "application/json", "idempotency-key": key}.items():
            event["headers"][name], event["multiValueHeaders"][name] = value, [value]
        return event

    def started(self, start: Invocation) -> None:
        """Take what the start answered."""
        answer = json.loads(answered(start, 201)["body"])
        self.id, self._challenge = answer["id"], answer["challenge"]

    def begin(self, function: Function) -> None:
        self.started(function.invoke(self.start()))

    def read(self) -> dict[str, Any]:
        return self._about("status")

    def check(self, *, right: bool) -> dict[str, Any]:
        assert self.route.code
        (*_, call) = self._telephone("GET")["incoming_calls"]
        code = code_in({**call, "spoken": self._said or call["spoken"]}, self.route.code.digits)
        assert len(code) == self.route.code.digits, (self.manifest.name, call, self._said)
        wrong = next(digit * len(code) for digit in "12" if digit * len(code) != code)
        return self._about("check_right") | {"body": json.dumps({"code": code if right else wrong})}

    def cancel(self) -> dict[str, Any]:
        return self._about("cancel") | {"body": "{}"}

    def webhook(self) -> dict[str, Any]:
        """The person calls, and the vendor reports it."""
        self._telephone("POST", "/dial", number=self._challenge["number"])
        return self._reported()

    def key(self) -> dict[str, Any]:
        """The person presses a key in the call, and the vendor asks what to say."""
        self._telephone("POST", "/press", key="1")
        return self._reported()

    def heard(self, answer: Invocation) -> None:
        """Take what the vendor is told to say."""
        self._said = re.sub("<[^>]*>", " ", answered(answer)["body"])

    def _telephone(self, method: str, path: str = "", **body: str) -> Any:
        url = f"{self.world.wire.simulators}/phone/{self.person.phone}{path}"
        answer = requests.request(method, url, json=body or None, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def _reported(self) -> dict[str, Any]:
        """What the vendor has sent to the wire, as the gateway would pass it on."""
        method, path, sent, body = self.world.wire.webhooks.get(timeout=5)
        parts = urlsplit(path)
        provider, rest = parts.path.partition("/webhooks/")[2].split("/", 1)
        query = dict(parse_qsl(parts.query))
        event = load("status") | {"httpMethod": method, "resource": "/webhooks/{provider}/{rest+}"}
        event["path"] = parts.path.removeprefix("/v1")
        event["pathParameters"] = {"provider": provider, "rest": rest}
        headers = {**sent, "Host": event["headers"]["Host"], "content-type": "application/x-www-form-urlencoded"}
        headers.pop("Content-Type", None)
        event["headers"], event["multiValueHeaders"] = headers, {name: [value] for name, value in headers.items()}
        event["requestContext"].pop("authorizer")
        event["body"] = body or None
        event["queryStringParameters"] = query or None
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()} or None
        return event

    def follow_up(self) -> dict[str, Any]:
        """The message of the end of the window."""
        event = load("follow_up")
        event["Records"][0]["body"] = json.dumps({"verification_id": self.id, "attempt": 1})
        return event

    def transition_created(self) -> dict[str, Any]:
        """The record, new in the table's stream: its provider has not answered yet."""
        self._image = self._record()
        return self._transition(None, self._begun())

    def transition_started(self) -> dict[str, Any]:
        self._image = self._record()
        return self._transition(self._begun(), self._image)

    def transition_ended(self) -> dict[str, Any]:
        return self._transition(self._image, self._record())

    def _transition(self, before: Any, after: Any) -> dict[str, Any]:
        event = load("transition")
        event["Records"] = event["Records"][:1]
        images = {"OldImage": before, "NewImage": after} if before else {"NewImage": after}
        change = event["Records"][0]["dynamodb"]
        event["Records"][0]["dynamodb"] = {k: v for k, v in change.items() if not k.endswith("Image")} | images
        return event

    def _begun(self) -> Any:
        """The record as it was before its provider agreed."""
        (attempt,) = self._image["attempts"]["L"]
        starting = {"M": {**attempt["M"], "outcome": {"S": "starting"}}}
        answer = ("challenge", "call_id", "answered_at", "repeat_at")
        known = {name: value for name, value in self._image.items() if name not in answer}
        return {**known, "attempts": {"L": [starting]}, "attempt_outcome": {"S": "starting"}}

    def _record(self) -> Any:
        return self.world.table.get_item(TableName=TABLE, Key={"pk": {"S": f"verification#{self.id}"}})["Item"]

    def _about(self, name: str) -> dict[str, Any]:
        event = load(name)
        event["path"] = event["path"].replace(event["pathParameters"]["id"], self.id)
        event["pathParameters"]["id"] = self.id
        return event


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a journey: what `function` answers to `event` with, in HTTP's words or None for none.

    bare: whether its requests can be made again by others, for other verifications, to the same effect. valid: what a
    check says.
    """

    name: str
    function: str
    event: Callable[[Journey], dict[str, Any]]
    status: int | None = 200
    bare: bool = True
    valid: bool | None = None


AUTHORIZE = Step("authorize", "authorize", Journey.authorize, None, bare=False)
START = Step("start", "start_verification", Journey.start, 201)
SCHEDULE = Step("schedule the follow-up", "schedule_follow_up", Journey.transition_created, None)
# Events are numbered without a gap: who publishes them again finds another number.
PUBLISH_CREATED = Step("publish `created`", "publish_event", Journey.transition_created, None, bare=False)
PUBLISH_STARTED = Step("publish `started`", "publish_event", Journey.transition_started, None, bare=False)
READ = Step("status read", "check_status", Journey.read)
WEBHOOK = Step("webhook", "receive_webhook", Journey.webhook)
PUBLISH_END = Step("publish the end", "publish_event", Journey.transition_ended, None, bare=False)
FOLLOW_UP = Step("follow up", "follow_up", Journey.follow_up, None)
KEY = Step("key", "receive_webhook", Journey.key)
WRONG = Step("wrong code", "check_status", partial(Journey.check, right=False), valid=False)
RIGHT = Step("right code", "check_status", partial(Journey.check, right=True), valid=True)
AFTER_START = (START, SCHEDULE, PUBLISH_CREATED, PUBLISH_STARTED)
READ_BACK = kind_of(*UNANSWERED)
CODED = next(kind for kind, (_, route) in KINDS.items() if route.code)


def _steps(kind: str, route: Route) -> Sequence[Step]:
    keys = (KEY,) if route.webhook and route.webhook.say else ()
    ways = (*keys, WRONG, RIGHT) if route.code else (WEBHOOK,)
    reads = [READ] * (10 if kind == READ_BACK else 1)
    return (AUTHORIZE, *AFTER_START, *reads, *ways, PUBLISH_END, FOLLOW_UP)


JOURNEYS: Mapping[str, Sequence[Step]] = {kind: _steps(kind, route) for kind, (_, route) in KINDS.items()}


class Containers:
    """The service's functions, each in a process that is started when it is first needed."""

    def __init__(self, world: World, *, recorded: bool) -> None:
        self._world = world
        self._recorded = recorded
        self._running: dict[str, Function] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Containers:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def take(self, step: Step, journey: Journey) -> Invocation:
        """Take one step. Raises RuntimeError where it goes otherwise than it should: it would measure nothing."""
        if step.function not in self._running:
            context = self._world.function(step.function, recorded=self._recorded)
            self._running[step.function] = self._stack.enter_context(context)
        invocation = self._running[step.function].invoke(step.event(journey))
        if step.status:
            answer = answered(invocation, step.status)
            if step.valid is not None and json.loads(answer["body"])["valid"] is not step.valid:
                raise RuntimeError(f"{step.name} was answered {answer}")
        if step is START:
            journey.started(invocation)
        if step is KEY:
            journey.heard(invocation)
        return invocation


def answered(invocation: Invocation, status: int = 200) -> dict[str, Any]:
    """The answer to API Gateway. Raises RuntimeError where it is another than expected: it would measure nothing."""
    answer: Any = invocation.answer
    if not isinstance(answer, dict) or answer.get("statusCode") != status:
        raise RuntimeError(f"a function answered {answer}")
    return dict(answer)
