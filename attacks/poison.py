"""Text that a later step can't carry: written wherever an attacker may write, to stop the events of everybody else."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError

from attacks.credentials import API_KEYS, FULL
from attacks.gateway import Gateway, address, gateway
from attacks.report import Finding
from attacks.world import SimulatedWorld, phone_number
from callverify.edge.queues import Publications
from callverify.events.publish import Publisher
from callverify.events.telemetry import Telemetry
from callverify.providers.base import Per
from callverify.providers.registry import manifests
from callverify.runtime import wiring
from functions.publish_event import app as publish_event
from tests.support.forgeries import forger
from tests.support.handlers import WEBHOOKS
from tests.support.simulators import CREDENTIALS

AT_ONCE = 25  # records in one batch of the table's stream (TransitionsMapping)
# SendMessage, read 2026-11: #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
_NOT_SENT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
POISONS = [
    *("\ufffe", "\uffff", "\ufdd0", "\ufdef", "\U0001fffe", "\U0010ffff"),  # noncharacters
    *("\x00", "\x01", "\x08", "\x0b", "\x1f", "\x7f", "\x85", "\r\n"),  # control characters
    *("\ud800", "\udfff", "\udc00\ud800"),  # lone surrogates
    *("\u2028", "\u202e", "\ufeff", "\u0000\ufffe"),
]
HEADERS = ("Idempotency-Key", "User-Agent", "X-Forwarded-For", "Content-Type", "Origin")


class _Aws:
    """SQS and EventBridge, as far as they refuse text, and what they took. Neither takes what SQS does not."""

    def __init__(self) -> None:
        self.queued: dict[str, list[str]] = {"deliveries": [], "aside": []}
        self.published: list[str] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 (AWS's own names)
        _judge(MessageBody, "SendMessage")
        self.queued[QueueUrl].append(MessageBody)

    def send_deliveries(self, bodies: Sequence[str]) -> tuple[int, ...]:
        for body in bodies:
            _judge(body, "SendMessageBatch")
        self.queued["deliveries"] += bodies
        return ()

    def put_events(self, *, Entries: Sequence[Any]) -> Any:  # noqa: N803
        for entry in Entries:
            _judge(entry["Detail"], "PutEvents")
        self.published += [entry["Detail"] for entry in Entries]
        return {"Entries": [{} for _ in Entries]}


def _judge(text: str, operation: str) -> None:
    if _NOT_SENT.search(text):
        raise ClientError({"Error": {"Code": "InvalidMessageContents"}}, operation)


def run(client: Any, *, starts: int) -> list[Finding]:
    """starts: by the attacker; half as many by others."""
    world, aws, chance = SimulatedWorld(client), _Aws(), random.Random(6)
    publisher = Publisher(
        store=world.store,
        bus=aws,
        bus_name="bus",
        enqueue=aws.send_deliveries,
        clock=world.clock,
        note=lambda *_, **__: None,
        failed=lambda *_: None,
    )
    publications = Publications(
        lambda: publisher,
        world.index,
        lambda _: None,
        lambda _: None,
        mock.create_autospec(Telemetry, instance=True),
        lambda body: aws.send_message(QueueUrl="aside", MessageBody=body),
    )
    healthy, refused, failed = set(), 0, 0
    with (
        gateway(world, API_KEYS) as way_in,
        mock.patch.object(wiring, "publications", return_value=publications),
    ):
        for number in range(starts):
            status = _poisoned(world, way_in, number, chance)
            refused += 400 <= status < 500
            failed += status >= 500
            if number % 2:
                body = json.dumps({"phone": phone_number(4_000 + number), "reference": f"заказ {number}"})
                started = way_in.send("POST", "/verifications", body=body, credential=FULL)
                healthy.add(started.body["id"])
            world.now += 30
        records = _stream(world, healthy, chance)
        lost_batches = sum(not _publish(records[first : first + AT_ONCE]) for first in range(0, len(records), AT_ONCE))
    delivered = {json.loads(body)["data"]["id"] for body in aws.queued["deliveries"]}
    published = {json.loads(body)["data"]["id"] for body in aws.published}
    stopped = len(healthy - (delivered & published))
    return [
        Finding(
            "poisoned text (non-characters, control characters, lone surrogates) in every field and header of a start, "
            "in reports and credentials, and in stored records",
            starts + len(records) - len(healthy),
            stopped + failed + lost_batches,
            f"{len(healthy) - stopped} of {len(healthy)} events of others were published and queued; {refused} "
            f"requests were refused, {failed} ended as 5xx. Events are ASCII; {len(aws.queued['aside'])} spoilt "
            f"records were put aside, and {lost_batches} batches came again",
            not (stopped or failed or lost_batches) and bool(healthy) and bool(aws.queued["aside"]),
        )
    ]


def _poisoned(world: SimulatedWorld, way_in: Gateway, number: int, chance: random.Random) -> int:
    """The status of one request with poison somewhere; 599 where a function let an error out."""
    text = f"x{chance.choice(POISONS)}y"
    fields: dict[str, Any] = {"phone": phone_number(number)}
    given: dict[str, Any] = {"credential": FULL}
    match number % 9:
        case 0:
            fields["reference"] = text
        case 1:
            fields["metadata"] = {"name": text}
        case 2:
            fields["metadata"] = {text: "value"}
        case 3:
            fields["return_url"] = f"https://shop.example/{text}"
        case 4:
            fields[text] = "an unknown field"
        case 5:
            fields[chance.choice(["phone", "method", "provider", "locale", "end_user_ip"])] = text
        case 6:
            given["headers"] = dict.fromkeys(HEADERS, text)
        case 7:
            given["credential"] = text
        case _:
            return _poisoned_report(world, way_in, text, chance)
    return _status(way_in, "/verifications", body=json.dumps(fields, ensure_ascii=number % 2 == 0), **given)


def _poisoned_report(world: SimulatedWorld, way_in: Gateway, text: str, chance: random.Random) -> int:
    """A provider's report with poison in all of its fields, or in all but one."""
    manifest = chance.choice([each for each in manifests() if each.webhook and not each.webhook.say])
    pairs = forger(manifest.name, CREDENTIALS[manifest.name]).report(phone_number(0), "1", int(world.now))
    spared = chance.choice([None, *pairs])
    verification_id = f"vrf_{0:026}"
    account = manifest.webhook is not None and manifest.webhook.per is Per.ACCOUNT
    token = world.token(manifest) if account else world.keys.webhook_token(verification_id)
    query = [(name, value if (name, value) == spared else text) for name, value in pairs] + [(text, text)]
    return _status(way_in, WEBHOOKS, parameters=address(manifest, verification_id, token), query=query, body="")


def _status(way_in: Gateway, resource: str, **request: Any) -> int:
    try:
        return way_in.send("POST", resource, **request).status
    except Exception:  # whatever it is, nobody was answered
        return 599


def _stream(world: SimulatedWorld, healthy: set[str], chance: random.Random) -> list[dict[str, Any]]:
    """The table's stream: the records, and for each two of others' one of the attacker's that was stored poisoned."""
    images = [item for item in world.items() if item["pk"]["S"].startswith("verification#")]
    changes = [("INSERT", image) for image in images]
    others = [image for image in images if image["id"]["S"] in healthy]
    for number, image in enumerate(others[::2]):
        verification_id = f"vrf_{number:026d}"
        spoilt = {"id": {"S": verification_id}, "pk": {"S": f"verification#{verification_id}"}}
        what = {"attempts": {"N": "7"}} if number % 2 else {"reference": {"S": chance.choice(POISONS)}}
        changes.append(("INSERT", image | spoilt | what))
    chance.shuffle(changes)
    return [
        {"eventName": name, "dynamodb": {"Keys": {"pk": image["pk"]}, "NewImage": image}} for name, image in changes
    ]


def _publish(records: Sequence[dict[str, Any]]) -> bool:
    """Whether the batch is done with; else Lambda brings it again, and nothing that comes after it."""
    try:
        publish_event.handler({"Records": records}, None)
    except Exception:  # likewise
        return False
    return True
