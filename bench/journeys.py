"""The events of each step of a verification, from the files of events/, and what happens at the telephone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from bench.lambda_runtime import Function, Invocation
from bench.world import API_KEY, TABLE, World
from local.build import ROOT


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

    def __init__(self, world: World, provider: str) -> None:
        self.world = world
        self.provider = provider
        self.person = Person()
        self.id = ""
        self._image: Any = None
        self._challenge: Mapping[str, Any] = {}

    def authorize(self) -> dict[str, Any]:
        return load("authorize") | {"authorizationToken": f"Bearer {API_KEY}"}

    def start(self) -> dict[str, Any]:
        body = {"phone": self.person.phone, "provider": self.provider, "end_user_ip": self.person.address}
        more = {"reference": f"order-{self.person.number}", "metadata": {"cart": "7"}, "locale": "ru"}
        event = load(f"start_{self.provider}") | {"body": json.dumps(body | more)}
        key = f"order-{self.person.number}"
        event["headers"]["idempotency-key"], event["multiValueHeaders"]["idempotency-key"] = key, [key]
        return event

    def started(self, start: Invocation) -> None:
        """Take what the start answered."""
        answer = json.loads(answered(start, 201)["body"])
        self.id, self._challenge = answer["id"], answer["challenge"]

    def begin(self, function: Function) -> None:
        self.started(function.invoke(self.start()))

    def read(self) -> dict[str, Any]:
        return self._about("status")

    def read_when_due(self) -> dict[str, Any]:
        time.sleep(3.1)
        return self.read()

    def check(self, *, right: bool) -> dict[str, Any]:
        calls = requests.get(f"{self.world.wire.simulators}/phone/{self.person.phone}", timeout=5).json()
        code = calls["incoming_calls"][-1]["from"][-4:]
        wrong = "1111" if code != "1111" else "2222"
        return self._about("check_right") | {"body": json.dumps({"code": code if right else wrong})}

    def cancel(self) -> dict[str, Any]:
        return self._about("cancel") | {"body": "{}"}

    def webhook(self) -> dict[str, Any]:
        """The person calls, and the vendor reports it."""
        number = {"number": self._challenge["number"]}
        url = f"{self.world.wire.simulators}/phone/{self.person.phone}/dial"
        requests.post(url, json=number, timeout=5).raise_for_status()
        path, body = self.world.wire.webhooks.get(timeout=5)
        parts = urlsplit(path)
        event = load(f"webhook_{self.provider}")
        query = dict(parse_qsl(parts.query))
        event["path"] = parts.path.removeprefix("/v1")
        provider, _, rest = event["path"].removeprefix("/webhooks/").partition("/")
        event["pathParameters"] = {"provider": provider, "rest": rest}
        event["body"] = body or None
        event["queryStringParameters"] = query or None
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()} or None
        return event

    def settlement(self) -> dict[str, Any]:
        """The message of the end of the window."""
        event = load("follow_up")
        event["Records"][0]["body"] = json.dumps({"verification_id": self.id, "attempt": 1})
        return event

    def transition_started(self) -> dict[str, Any]:
        """The record, new in the table's stream."""
        self._image = self._record()
        return self._transition(None, self._image)

    def transition_ended(self) -> dict[str, Any]:
        return self._transition(self._image, self._record())

    def _transition(self, before: Any, after: Any) -> dict[str, Any]:
        event = load("transition")
        event["Records"] = event["Records"][:1]
        images = {"OldImage": before, "NewImage": after} if before else {"NewImage": after}
        change = event["Records"][0]["dynamodb"]
        event["Records"][0]["dynamodb"] = {k: v for k, v in change.items() if not k.endswith("Image")} | images
        return event

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

    bare: whether its requests can be made again by others, for other verifications, to the same effect.
    """

    name: str
    function: str
    event: Callable[[Journey], dict[str, Any]]
    status: int | None = 200
    bare: bool = True


AUTHORIZE = Step("authorize", "authorize", Journey.authorize, None, bare=False)
START = Step("start", "start_verification", Journey.start, 201)
SCHEDULE = Step("schedule the end", "schedule_settlement", Journey.transition_started, None)
# Events are numbered without a gap: who publishes them again finds another number.
PUBLISH_START = Step("publish the start", "publish_event", Journey.transition_started, None, bare=False)
READ = Step("status read", "check_status", Journey.read)
WEBHOOK = Step("webhook", "receive_webhook", Journey.webhook)
PUBLISH_END = Step("publish the end", "publish_event", Journey.transition_ended, None, bare=False)
SETTLE = Step("settle", "settle_verification", Journey.settlement, None)
WRONG = Step("wrong code", "check_status", partial(Journey.check, right=False))
RIGHT = Step("right code", "check_status", partial(Journey.check, right=True))
# A pending reverse call is asked for at the vendor, but not sooner.
DUE_READ = Step("status read, 3 s later", "check_status", Journey.read_when_due)
AFTER_START = (START, SCHEDULE, PUBLISH_START)
JOURNEYS: Mapping[str, Sequence[Step]] = {
    "telefon_ip": (AUTHORIZE, *AFTER_START, *[READ] * 10, WEBHOOK, PUBLISH_END, SETTLE),
    "smsc": (AUTHORIZE, *AFTER_START, READ, WEBHOOK, PUBLISH_END, SETTLE),
    "ucaller": (AUTHORIZE, *AFTER_START, READ, WRONG, RIGHT, PUBLISH_END, SETTLE),
}

# Too slow for more than once.
COUNTED_ONLY: Mapping[str, Sequence[Step]] = {"telefon_ip, waiting": (START, DUE_READ)}


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
            answered(invocation, step.status)
        if step is START:
            journey.started(invocation)
        return invocation


def answered(invocation: Invocation, status: int = 200) -> dict[str, Any]:
    """The answer to API Gateway. Raises RuntimeError where it is another than expected: it would measure nothing."""
    answer: Any = invocation.answer
    if not isinstance(answer, dict) or answer.get("statusCode") != status:
        raise RuntimeError(f"a function answered {answer}")
    return dict(answer)
