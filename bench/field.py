"""The service on a table with others' verifications in it, and journeys through it, of which each step is measured."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from attacks.gateway import Gateway, gateway
from attacks.world import SimulatedWorld, server, wish
from bench.kinds import KINDS, NOT_ANSWERED, ROUTES, UNANSWERED
from callverify.domain.questions import planned
from callverify.domain.usage import used
from callverify.domain.verification import Verification
from callverify.domain.words import Clock, Note, Outcome, Status
from callverify.edge.queues import FollowUps
from callverify.events.publish import Publisher
from callverify.events.telemetry import Telemetry, logger
from callverify.providers.base import Manifest, Route
from callverify.providers.registry import is_paid
from callverify.service.policy import Policy
from callverify.store import Store, Usage
from simulators.webhooks import Webhook
from tests.support.handlers import WEBHOOKS, Answer
from tests.support.simulators import RECEIVER, Simulators

POLLS = 10
ANSWER_SECONDS = 7  # from the start until the user calls, or types the code; the polls are spread over them
PHONES_A_FIELD = 5_000  # of each block of 10,000
KEY = "cv_live_" + "k" * 43
UNLIMITED = Policy(key_paid_day=10**9, stack_paid_hour=10**9, key_free_hour=10**9)


@dataclass
class Asked:
    """What was asked of DynamoDB: requests by operation, and the units that they consumed."""

    requests: Counter[str] = field(default_factory=Counter)
    reads: float = 0.0
    writes: float = 0.0


class Meter:
    """Counts what goes through a DynamoDB client.

    DynamoDB Local says 4 units of every transaction, however long. Each item of one takes 2 for every 1 KB begun, and
    none here is larger than that (see `largest_item`).
    """

    def __init__(self, client: Any) -> None:
        self.asked = Asked()
        client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        client.meta.events.register("after-call.dynamodb", self._count)

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params.setdefault("ReturnConsumedCapacity", "TOTAL")
        self.asked.writes += 2 * len(params.get("TransactItems", ()))

    def _count(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        self.asked.requests[model.name] += 1
        match model.name, parsed.get("ConsumedCapacity"):
            case "GetItem", {"CapacityUnits": units}:
                self.asked.reads += units
            case "BatchGetItem", [{"CapacityUnits": units}]:
                self.asked.reads += units
            case "BatchWriteItem", [{"CapacityUnits": units}]:
                self.asked.writes += units
            case "PutItem" | "UpdateItem" | "DeleteItem", {"CapacityUnits": units}:
                self.asked.writes += units


@dataclass
class Step:
    """Every time that a step was taken: what each took. `function`: the one that runs it."""

    function: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    log_bytes: list[int] = field(default_factory=list)
    answer_bytes: list[int] = field(default_factory=list)
    vendor: list[int] = field(default_factory=list)

    def summary(self, journeys: int) -> dict[str, Any]:
        """Means, of one time; `times` is how often a journey takes it."""
        requests: Counter[str] = sum((each.requests for each in self.asked), Counter())
        count = len(self.seconds)
        return {
            "function": self.function,
            "times": round(count / journeys, 2),
            "cpu_ms": round(statistics.median(self.cpu) * 1000, 1),
            "dynamodb": {name: round(number / count, 2) for name, number in sorted(requests.items())},
            "read_units": round(statistics.fmean(each.reads for each in self.asked), 2),
            "write_units": round(statistics.fmean(each.writes for each in self.asked), 2),
            "vendor_requests": round(statistics.fmean(self.vendor), 2),
            "log_bytes": round(statistics.fmean(self.log_bytes)),
            "answer_bytes": round(statistics.fmean(self.answer_bytes)),
        }


Kinds = dict[str, dict[str, Step]]
"""Steps by their names, by kinds of journeys."""


def choice(manifest: Manifest, route: Route) -> dict[str, str]:
    """What a server asks for to get this route: its method, or where another comes first, its provider too."""
    first = next(other for other, each in ROUTES if each.method is route.method)
    return {"method": route.method} if first is manifest else wish(manifest, route)


class CachingGateway(Gateway):
    """API Gateway keeps the authorizer's answer for a minute."""

    def authorize(self, credential: str, method: str, path: str, *, scheme: str = "Bearer") -> dict[str, Any] | None:
        known = self.__dict__.setdefault("_known", {})
        if credential not in known:
            known[credential] = super().authorize(credential, method, path, scheme=scheme)
        answer: dict[str, Any] | None = known[credential]
        return answer


class Vendors:
    """The simulated vendors: how often they were asked, and the time that they took, which is not the service's.

    fields: of how many fields they are.
    """

    def __init__(self) -> None:
        self.simulators = Simulators()
        self.simulators.fill_cabinets(RECEIVER)
        self.requests = 0
        self.seconds = self.cpu = 0.0
        self.fields = 0
        self._send = self.simulators.http.send
        self.simulators.http.send = self._counted  # type: ignore[method-assign]

    def _counted(self, *arguments: Any, **options: Any) -> Any:
        cpu, began = time.process_time(), time.perf_counter()
        try:
            return self._send(*arguments, **options)
        finally:
            self.requests += 1
            self.cpu += time.process_time() - cpu
            self.seconds += time.perf_counter() - began

    def forget(self) -> None:
        self.requests, self.seconds, self.cpu = 0, 0.0, 0.0


class Field:
    """The service on a table, filled step by step, and journeys through it that are measured.

    All fields of a process share the vendors.
    """

    def __init__(self, client: Any, vendors: Vendors) -> None:
        self.meter = Meter(client)
        self.vendors = vendors
        self.world = SimulatedWorld(client, UNLIMITED, simulators=vendors.simulators)
        # With the telemetry of a deployed function, whose lines are counted.
        telemetry = Telemetry()
        self.world.observer = telemetry  # type: ignore[assignment]
        self.world.service = self.world.new_service()
        # Vendors have limits of a phone: each field has phones of its own.
        self._first_phone = vendors.fields * PHONES_A_FIELD
        vendors.fields += 1
        self._numbers = itertools.count()
        self._addresses = (f"2001:{0xDB8 + high:x}:{low:x}::1" for high in itertools.count() for low in range(65_536))
        self._messages: list[tuple[float, str]] = []
        self._latest = 0.0
        self._follow_ups = FollowUps(
            service=lambda: self.world.service,
            questions=lambda record: planned(record) if self._route(record).read_back else (),
            send=self._send,
            clock=self.world.clock,
            telemetry=telemetry,
            put_aside=lambda _: None,
        )
        self._publisher = publisher(self.world.store, self._never_back, telemetry.note, telemetry.unpublished)
        self._usage = Usage(client, f"{self.world.table}-index")
        self._journey: dict[str, Step] = {}
        self._log = io.StringIO()

    def new_phone(self) -> str:
        """All over the 900 blocks of 10,000 numbers, which have limits."""
        number = next(self._numbers)
        return f"+7900{100 + number % 900}{self._first_phone + number // 900:04}"

    def _route(self, record: Verification) -> Route:
        return self.world.vendor(record.provider).route(record.method)

    # Filling

    def fill(self, count: int) -> None:
        """Start so many verifications that stay live, by each route in turn, and publish that they were created."""
        # The phones by turns too, not by which thread is first: what is in a block decides what a start in it costs.
        wishes = ((self.new_phone(), wish(*each)) for each in itertools.cycle(ROUTES))
        caller = server()

        def start(wanted: tuple[str, dict[str, str]]) -> Verification:
            phone, fields = wanted
            return self.world.start(caller, phone, **fields)

        with ThreadPoolExecutor(4) as pool, gateway(self.world):
            for some in itertools.batched(itertools.islice(wishes, count), 25, strict=False):
                started = list(pool.map(start, some))
                self._publisher.publish((None, begun(each)) for each in started)

    # Measuring

    def measure(self, journeys: int, steps: Kinds | None = None) -> Kinds:
        """So many journeys of each kind, one after the other: their steps, beside those in `steps`."""
        steps = {} if steps is None else steps
        kinds: dict[str, Callable[[Gateway], None]] = {}
        for kind, (manifest, route) in KINDS.items():
            kinds[kind] = partial(self._typed if route.code else self._dialled, manifest, route)
        kinds[NOT_ANSWERED] = partial(self._not_answered, *UNANSWERED)
        keys = [{"name": "shop", "sha256": hashlib.sha256(KEY.encode()).hexdigest(),
                 "scopes": ["verifications:read", "verifications:write"], "mode": "live"}]  # fmt: skip
        with gateway(self.world), contextlib.redirect_stdout(self._log):
            logger.setLevel("INFO")
            logger.registered_handler.setStream(self._log)  # type: ignore[attr-defined]
            way_in = CachingGateway(self.world, keys)
            for _ in range(journeys):
                for name, journey in kinds.items():
                    self._journey = steps.setdefault(name, {})
                    began = self.world.now
                    journey(way_in)
                    self.world.now = began  # so that the others stay live
            logger.setLevel("CRITICAL")
        return steps

    def _take(self, step: str, function: str, act: Callable[[], Any]) -> Any:
        taken = self._journey.setdefault(step, Step(function))
        self._log.seek(0)
        self._log.truncate()
        self.vendors.forget()
        self.meter.asked = Asked()
        taken.asked.append(self.meter.asked)
        cpu, began = time.process_time(), time.perf_counter()
        answer = act()
        taken.seconds.append(time.perf_counter() - began - self.vendors.seconds)
        taken.cpu.append(time.process_time() - cpu - self.vendors.cpu)
        self.meter.asked = Asked()
        taken.log_bytes.append(len(self._log.getvalue().encode()))
        taken.vendor.append(self.vendors.requests)
        body = json.dumps(answer.body, ensure_ascii=False) if isinstance(answer, Answer) else ""
        taken.answer_bytes.append(len(body.encode()))
        return answer

    def _start(self, way_in: Gateway, fields: Mapping[str, str]) -> tuple[str, Verification, str]:
        """A server starts; the browser gets a token, with which the gateway asks the authorizer once."""
        phone = self.new_phone()
        body = json.dumps({"phone": phone, "end_user_ip": next(self._addresses), **fields})
        headers = {"Idempotency-Key": phone}
        started = self._take(
            "start",
            "start_verification",
            lambda: way_in.send("POST", "/verifications", body=body, headers=headers, credential=KEY),
        )
        assert started.status == 201, started.body
        image = self._image(started.id)
        change = {"Records": [{"dynamodb": {"Keys": {"pk": image["pk"]}, "NewImage": image}}]}
        self._take("schedule", "schedule_follow_up", lambda: self._follow_ups.schedule(change))
        verification = self._stored(started.id)
        self._publish(None, begun(verification))
        self._publish(begun(verification), verification)
        token = started.body["client_token"]
        path = f"/verifications/{verification.id}"
        self._take("authorize", "authorize", lambda: way_in.authorize(token, "GET", path))
        for _ in range(POLLS):
            self._pass(ANSWER_SECONDS / POLLS)
            assert self._read(way_in, verification, token).body["status"] == "pending"
        return phone, verification, token

    def _read(self, way_in: Gateway, verification: Verification, token: str) -> Answer:
        def read() -> Answer:
            return way_in.send("GET", "/verifications/{id}", parameters={"id": verification.id}, credential=token)

        answer: Answer = self._take("read", "check_status", read)
        return answer

    def _never_back(self) -> float:
        """The publisher's clock. That of the others goes back after each journey, so that those beside it stay live."""
        self._latest = max(self._latest, self.world.now)
        return self._latest

    def _publish(self, before: Verification | None, after: Verification) -> None:
        def publish() -> None:
            self._publisher.publish([(before, after)])
            if before is None:
                self.world.index.add([after])
            elif after.status is not Status.PENDING:
                self._usage.count({after.id: [*used(after, is_paid)]}, int(self._never_back()))

        self._take("publish", "publish_event", publish)

    def _end(self, before: Verification, status: str) -> None:
        """What the stream and the queue bring once a verification has ended."""
        after = self._stored(before.id)
        assert after.status == status, after.status
        self._publish(before, after)
        if status == "verified":
            self._pass(before.expires_at - self.world.now)

    def _send(self, message: str, delay: int) -> None:
        self._messages.append((self.world.now + delay, message))

    def _pass(self, seconds: float) -> None:
        """Let time go by, and bring the follow-ups that are due meanwhile."""
        until = self.world.now + seconds
        while (following := min(self._messages, default=(until + 1, "")))[0] <= until:
            self._messages.remove(following)
            self.world.now = max(self.world.now, following[0])
            self._take("follow_up", "follow_up", partial(self._follow_ups.follow_up, following[1]))
        self.world.now = until

    def _image(self, verification_id: str) -> Any:
        key = {"pk": {"S": f"verification#{verification_id}"}}
        return self.world.client.get_item(TableName=self.world.table, Key=key, ConsistentRead=True)["Item"]

    def _stored(self, verification_id: str) -> Verification:
        found = self.world.store.get(verification_id, int(self.world.now))
        assert found is not None
        return found

    # The journeys

    def _typed(self, manifest: Manifest, route: Route, way_in: Gateway) -> None:
        """The user types the code."""
        phone, verification, token = self._start(way_in, choice(manifest, route))
        assert route.code
        self.vendors.simulators.now = self.world.now
        self.vendors.simulators.on_webhook = partial(self._report, way_in)
        told = self.vendors.simulators.code_heard(phone, route.code.digits)
        code = json.dumps({"code": told})
        send = partial(way_in.send, "POST", "/verifications/{id}/check", parameters={"id": verification.id}, body=code)
        browser = partial(send, credential=token, source_ip=next(self._addresses))
        assert self._take("check", "check_status", browser).body["valid"]
        self._end(verification, "verified")

    def _dialled(self, manifest: Manifest, route: Route, way_in: Gateway) -> None:
        """The user calls, and the vendor reports it, or is asked."""
        phone, verification, token = self._start(way_in, choice(manifest, route))
        assert verification.challenge
        simulators = self.vendors.simulators
        simulators.now = self.world.now
        simulators.on_webhook = partial(self._report, way_in)
        simulators.sent.clear()
        simulators.dial(phone, verification.challenge.number or "")
        if not simulators.sent:
            self._read(way_in, verification, token)
        self._end(verification, "verified")

    def _report(self, way_in: Gateway, webhook: Webhook) -> tuple[int, str]:
        """The vendor's report, of a call or of a key that was pressed: the answer's status and body."""
        path, _, query = webhook.url.partition("?")
        provider, rest = path.partition("/webhooks/")[2].split("/", 1)
        send = partial(
            way_in.send,
            webhook.method,
            WEBHOOKS,
            query=parse_qsl(query),
            body=urlencode(webhook.form, doseq=True) if webhook.form else None,
            headers=webhook.headers,
            parameters={"provider": provider, "rest": rest},
        )
        answer = self._take("webhook", "receive_webhook", send)
        assert answer.status == 200, answer.body
        return answer.status, str(answer.body)

    def _not_answered(self, manifest: Manifest, route: Route, way_in: Gateway) -> None:
        """At a vendor that is asked a last time."""
        _, verification, _ = self._start(way_in, choice(manifest, route))
        self._pass(verification.expires_at - self.world.now)
        self._end(verification, "expired")


def begun(started: Verification) -> Verification:
    """The record before its provider agreed."""
    attempt = replace(started.attempt, outcome=Outcome.STARTING)
    return replace(started, attempts=(*started.attempts[:-1], attempt), challenge=None, call_id=None, answered_at=None)


class _Bus:
    def put_events(self, *, Entries: Sequence[Any]) -> Any:  # noqa: N803 (AWS's own name)
        return {"Entries": [{} for _ in Entries]}


def publisher(store: Store, clock: Clock, note: Note, failed: Callable[[str, BaseException], None]) -> Publisher:
    """Of a stack with a customer's URL, and a bus that answers at once."""
    return Publisher(
        store=store, bus=_Bus(), bus_name="bus", enqueue=lambda _: (), clock=clock, note=note, failed=failed
    )
