"""`make growth`: what a verification costs while 100, 1,000 and 10,000 others are live.

The functions' handlers on DynamoDB Local, Amazon's own engine, with vendors that answer at once: how long each step
takes on this machine's processor, what it asks of DynamoDB, and what it writes into the log. It must not grow. The
figures at the largest size go into requests.json, from which docs/scale.md is made.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.config import Config

from attacks.webhooks import SMSC_PARAMETERS, SMSC_PATH, signed
from attacks.world import Gateway, Response, World, gateway, server
from bench import marked
from bench.load import DOCUMENT, machine
from callverify.events import Publisher
from callverify.items import deserialized
from callverify.models import ProviderName, Verification
from callverify.service import LAST_QUESTION_SECONDS, POLL_EVERY_SECONDS, Policy, Service
from callverify.settlement import Settlement
from callverify.telemetry import Telemetry, logger
from tests.stack.engines import dynamodb_local

REQUESTS = Path(__file__).with_name("requests.json")
LIVE = (100, 1_000, 10_000)
POLLS = 10
KEY = "cv_live_" + "k" * 43
UNLIMITED = Policy(key_paid_day=10**9, stack_paid_hour=10**9, key_free_hour=10**9)
TELEFON_IP_PATH = "/webhooks/telefon-ip/{id}/{token}"


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


class CachingGateway(Gateway):
    """API Gateway keeps the authorizer's answer for a minute."""

    def authorize(self, credential: str, method: str, path: str) -> dict[str, Any] | None:
        known = self.__dict__.setdefault("_known", {})
        if credential not in known:
            known[credential] = super().authorize(credential, method, path)
        answer: dict[str, Any] | None = known[credential]
        return answer


class Field:
    """The service on a table, filled step by step, and journeys through it that are measured."""

    def __init__(self, client: Any) -> None:
        self.meter = Meter(client)
        self.world = World(client, UNLIMITED)
        # With the telemetry of a deployed function, whose lines are counted.
        telemetry = Telemetry()
        self.world.service = Service(
            store=self.world.store,
            keys=self.world.keys,
            policy=UNLIMITED,
            providers=lambda: self.world.providers,
            observer=telemetry,
            clock=self.world.clock,
        )
        self._numbers = itertools.count()
        self._addresses = (f"2001:{0xDB8 + high:x}:{low:x}::1" for high in itertools.count() for low in range(65_536))
        self._messages: list[tuple[str, int]] = []
        self._settlement = Settlement(
            service=lambda: self.world.service,
            send=lambda message, delay: self._messages.append((message, delay)),
            clock=self.world.clock,
            note=telemetry.note,
        )
        self._publisher = Publisher(
            store=self.world.store,
            bus=_Bus(),
            bus_name="bus",
            enqueue=lambda _: None,
            clock=self.world.clock,
            note=telemetry.note,
            failed=telemetry.unpublished,
        )
        self._journey: dict[str, Step] = {}
        self._log = io.StringIO()
        self._vendor = 0
        send = self.world.vendors.send

        def counted(*arguments: Any, **options: Any) -> Any:
            self._vendor += 1
            return send(*arguments, **options)

        self.world.vendors.send = counted  # type: ignore[method-assign]

    def new_phone(self) -> str:
        """All over the 900 blocks of 10,000 numbers, which have limits."""
        number = next(self._numbers)
        return f"+7900{100 + number % 900}{number // 900:04}"

    # Filling

    def fill(self, count: int) -> None:
        """Start so many verifications that stay live, by each provider in turn, and publish that they began."""
        names = itertools.cycle(ProviderName)
        caller = server()

        def start(number: int) -> Verification:  # noqa: ARG001
            return self.world.start(caller, self.new_phone(), provider=str(next(names)))

        with ThreadPoolExecutor(4) as pool, gateway(self.world):
            for some in itertools.batched(range(count), 25, strict=False):
                started = list(pool.map(start, some))
                self._publisher.publish((None, each) for each in started)

    # Measuring

    def measure(self, journeys: int, steps: Kinds | None = None) -> Kinds:
        """So many journeys of each kind, one after the other: their steps, beside those in `steps`."""
        steps = {} if steps is None else steps
        kinds: dict[str, Callable[[Gateway], None]] = {
            "flash_call": self._flash_call,
            "reverse_call_telefon_ip": self._telefon_ip,
            "reverse_call_smsc": self._smsc,
            "not_answered": self._not_answered,
        }
        keys = [{"name": "shop", "sha256": hashlib.sha256(KEY.encode()).hexdigest(),
                 "scopes": ["verifications:read", "verifications:write"], "mode": "live"}]  # fmt: skip
        with gateway(self.world), contextlib.redirect_stdout(self._log):
            logger.setLevel("INFO")
            logger.registered_handler.setStream(self._log)  # type: ignore[attr-defined]
            entry = CachingGateway(self.world, keys)
            for _ in range(journeys):
                for name, journey in kinds.items():
                    self._journey = steps.setdefault(name, {})
                    began = self.world.now
                    journey(entry)
                    self.world.now = began  # so that the others stay live
            logger.setLevel("CRITICAL")
        return steps

    def _take(self, step: str, function: str, act: Callable[[], Any]) -> Any:
        taken = self._journey.setdefault(step, Step(function))
        self._log.seek(0)
        self._log.truncate()
        self._vendor, self.meter.asked = 0, Asked()
        taken.asked.append(self.meter.asked)
        cpu, began = time.process_time(), time.perf_counter()
        answer = act()
        taken.seconds.append(time.perf_counter() - began)
        taken.cpu.append(time.process_time() - cpu)
        self.meter.asked = Asked()
        taken.log_bytes.append(len(self._log.getvalue().encode()))
        taken.vendor.append(self._vendor)
        body = json.dumps(answer.body, ensure_ascii=False) if isinstance(answer, Response) else ""
        taken.answer_bytes.append(len(body.encode()))
        return answer

    def _start(self, entry: Gateway, **choice: str) -> tuple[str, Verification, str]:
        """A server starts; the browser gets a token, with which the gateway asks the authorizer once."""
        phone = self.new_phone()
        body = json.dumps({"phone": phone, "end_user_ip": next(self._addresses), **choice})
        headers = {"Idempotency-Key": phone}
        started = self._take(
            "start",
            "start_verification",
            lambda: entry.send("POST", "/verifications", body=body, headers=headers, credential=KEY),
        )
        assert started.status == 201, started.body
        verification = self._stored(started.body["id"])
        self._take("schedule", "schedule_settlement", lambda: self._settlement.schedule(None, verification))
        self._publish(None, verification)
        token = started.body["client_token"]
        path = f"/verifications/{verification.id}"
        self._take("authorize", "authorize", lambda: entry.authorize(token, "GET", path))
        for _ in range(POLLS):
            self.world.now += POLL_EVERY_SECONDS
            assert self._read(entry, verification, token).body["status"] == "pending"
        return phone, verification, token

    def _read(self, entry: Gateway, verification: Verification, token: str) -> Response:
        def read() -> Response:
            return entry.send("GET", "/verifications/{id}", parameters={"id": verification.id}, credential=token)

        answer: Response = self._take("read", "check_status", read)
        return answer

    def _publish(self, before: Verification | None, after: Verification) -> None:
        self._take("publish", "publish_event", lambda: self._publisher.publish([(before, after)]))

    def _end(self, before: Verification, status: str) -> None:
        """What the stream and the queue bring once a verification has ended."""
        after = self._stored(before.id)
        assert after.status == status, after.status
        self._publish(before, after)
        if status == "verified":
            self.world.now = before.expires_at - LAST_QUESTION_SECONDS
            self._settle()

    def _settle(self) -> None:
        message, _ = self._messages.pop()
        self._take("settle", "settle_verification", lambda: self._settlement.settle(message))

    def _stored(self, verification_id: str) -> Verification:
        found = self.world.store.get(verification_id, int(self.world.now))
        assert found is not None
        return found

    # The journeys

    def _flash_call(self, entry: Gateway) -> None:
        _, verification, token = self._start(entry, method="flash_call")
        code = json.dumps({"code": self.world.keys.code(verification.id, 1)})
        send = partial(entry.send, "POST", "/verifications/{id}/check", parameters={"id": verification.id}, body=code)
        browser = partial(send, credential=token, source_ip=next(self._addresses))
        assert self._take("check", "check_status", browser).body["valid"]
        self._end(verification, "verified")

    def _telefon_ip(self, entry: Gateway) -> None:
        phone, verification, _ = self._start(entry, method="reverse_call")
        call_id = str(verification.call_id)
        called = {"phone": f"8{phone[2:]}", "id": int(call_id), "status": "ok"}
        self.world.vendors.checks[call_id] = json.dumps({"success": True, "data": called}).encode()
        parameters = {"id": verification.id, "token": self.world.keys.webhook_token(verification.id)}
        report = [("success", "True"), ("phone", f"8{phone[2:]}"), ("id", call_id.zfill(6))]
        send = partial(entry.send, "GET", TELEFON_IP_PATH, parameters=parameters, query=report)
        assert self._take("webhook", "receive_webhook", send).status == 200
        self._end(verification, "verified")

    def _smsc(self, entry: Gateway) -> None:
        phone, verification, _ = self._start(entry, provider="smsc")
        report = urlencode(signed(phone, int(self.world.now)))
        send = partial(entry.send, "POST", SMSC_PATH, parameters=SMSC_PARAMETERS, body=report)
        assert self._take("webhook", "receive_webhook", send).status == 200
        self._end(verification, "verified")

    def _not_answered(self, entry: Gateway) -> None:
        """At telefon-ip, which is asked a last time."""
        _, verification, _ = self._start(entry, method="reverse_call")
        self.world.now = verification.expires_at - LAST_QUESTION_SECONDS
        self._settle()
        self.world.now = verification.expires_at
        self._settle()
        self._end(verification, "expired")


class _Bus:
    def put_events(self, *, Entries: Sequence[Any]) -> Any:  # noqa: ARG002, N803 (AWS's own name)
        return {}


def size(value: Any) -> int:
    """The size of a value, as DynamoDB counts it, near enough."""
    if isinstance(value, Mapping):
        return 3 + sum(1 + len(name) + size(member) for name, member in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + size(member) for member in value)
    return len(value.encode()) if isinstance(value, str) else len(str(value)) // 2 + 1


def sizes(client: Any, table: str) -> dict[str, int]:
    """The largest item, and the bytes stored for each verification in the table."""
    pages = client.get_paginator("scan").paginate(TableName=table)
    items = {item["pk"]["S"]: size(deserialized(item)) for page in pages for item in page["Items"]}
    verifications = sum(pk.startswith("verification#") for pk in items)
    return {"largest_item": max(items.values()), "stored_per_verification": sum(items.values()) // verifications}


def fast(step: Step) -> float:
    """Seconds that the fastest fifth of the times stays under: others at work on the machine show less there."""
    return statistics.quantiles(step.seconds, n=5)[0]


def growth(measured: Mapping[int, tuple[Kinds, Kinds]]) -> str:
    """Each step beside each number of live verifications, against the same step on a table that is nearly empty."""
    head, rows = ["step"], []
    for live in measured:
        head += [f"ms at {live:,}", "requests / units"]
    for kind, steps in measured[min(measured)][0].items():
        for name, first in steps.items():
            if not first.asked[0].requests:
                continue
            row: list[object] = [f"{kind}: {name}"]
            for beside, alone in measured.values():
                step = beside[kind][name]
                requests = statistics.fmean(each.requests.total() for each in step.asked)
                units = statistics.fmean(each.reads + each.writes for each in step.asked)
                row.append(f"{fast(step) * 1000:.1f} (×{fast(step) / fast(alone[kind][name]):.2f})")
                row.append(f"{requests:.2f} / {units:.2f}")
            rows.append(row)
    return marked.table(head, rows)


@contextlib.contextmanager
def engine() -> Iterator[Any]:
    """A client of DynamoDB Local."""
    dynamodb_local.fetch()
    with tempfile.TemporaryDirectory() as directory, dynamodb_local.dynamodb_local(Path(directory)) as endpoint:
        client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(max_pool_connections=16, retries={"mode": "standard", "total_max_attempts": 20}),
        )
        client.list_tables()
        yield client


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--live", type=int, nargs="+", default=LIVE, help="how many others are live")
    parser.add_argument("--journeys", type=int, default=30, help="of each kind, at each size (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help=f"leave {DOCUMENT.name} and {REQUESTS.name} as they are")
    options = parser.parse_args(arguments)
    measured: dict[int, tuple[Kinds, Kinds]] = {}
    with engine() as client:
        there, empty = Field(client), Field(client)
        live = 0
        for field in (there, empty):
            field.measure(10)  # until everything is warm
        for count in sorted(options.live):
            there.fill(count - live)
            live = count
            measured[live] = ({}, {})
            for _ in range(options.journeys):
                # By turns, so that others at work on the machine slow down both.
                for field, steps in zip((there, empty), measured[live], strict=True):
                    field.measure(1, steps)
            print(f"{live:,} live: measured", file=sys.stderr, flush=True)
        stored = sizes(client, there.world.table)
    table = growth(measured)
    print(table)
    print(stored)
    if not options.dry_run:
        when = (
            f"{datetime.now(UTC):%Y-%m-%d}; {machine()}; {options.journeys} journeys of each kind at each size. "
            "In brackets, how many times what the same step takes on a nearly empty table, by turns."
        )
        marked.write(DOCUMENT, "growth", f"{when}\n\n{table}")
        summaries = {
            kind: {name: step.summary(options.journeys) for name, step in taken.items()}
            for kind, taken in measured[live][0].items()
        }
        known = {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "live": live, **stored}
        REQUESTS.write_text(json.dumps({**known, "journeys": summaries}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
