"""The parts of the service, put together once per container as the environment describes them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from callverify import aws
from callverify.domain.errors import ConfigurationFault, busy
from callverify.domain.keys import Keys
from callverify.domain.questions import planned_in_test
from callverify.domain.verification import Verification
from callverify.domain.words import Mode
from callverify.edge.access import Access
from callverify.providers import registry
from callverify.runtime import settings
from callverify.runtime.lines import Lines
from callverify.runtime.secrets import secret, telemetry
from callverify.service.context import Context
from callverify.service.lane import live_lane, live_questions, test_lane
from callverify.service.policy import Policy
from callverify.service.service import Service
from callverify.store import Index, Store, Usage

if TYPE_CHECKING:
    # What the functions behind the API do without: 3 ms of their cold starts (measured 2026-11).
    from callverify.edge.cognito.triggers import Triggers
    from callverify.edge.queues import FollowUps, Publications
    from callverify.events.deliver import Delivery
    from callverify.events.publish import Publisher
    from callverify.events.updates import Updates
    from callverify.service.records import Records

__all__ = ["telemetry"]


@cache
def service() -> Service:
    """The verification service."""
    return Service(_context())


@cache
def records() -> Records:
    """What finds records, and tells their history."""
    from callverify.service.records import Records

    return Records(_context(), usage())


@cache
def _context() -> Context:
    live = live_lane(
        lambda: lines()(),
        registry.route,
        policy=policy(),
        keys=keys(),
        store=store(),
        observer=telemetry(),
        clock=time.time,
    )
    order = settings.provider_order()
    manifests = [registry.manifest(name) for name in dict.fromkeys(entry.partition(":")[0] for entry in order)]
    test = test_lane(
        manifests,
        registry.route,
        lambda lines: registry.in_order(lines, order),
        policy=policy(),
        keys=keys(),
        clock=time.time,
    )
    lanes = {Mode.LIVE: live, Mode.TEST: test}
    context = Context(store(), index(), keys(), policy(), lanes, telemetry(), time.time, _later)
    updates = _updates()
    return replace(context, tell=updates.tell) if updates else context


@cache
def access() -> Access:
    """API keys and client tokens."""
    return Access(keys=keys, read_api_keys=api_keys, clock=time.time, fault=telemetry().configuration_fault)


@cache
def keys() -> Keys:
    """What is derived from the pepper, which has to be the one that the table knows. Raises Busy."""
    keys = Keys(secret("PEPPER_SECRET"))
    if not store().knows_pepper(keys.fingerprint()):
        fault = ConfigurationFault("pepper", "it is not the pepper that the table's hashes were made with")
        telemetry().configuration_fault(fault)
        raise busy() from fault
    return keys


@cache
def lines() -> Lines:
    """The vendors' routes that can be dialled."""
    return Lines(
        settings.provider_order(), lambda: secret("PROVIDER_CREDENTIALS_SECRET"), telemetry().configuration_fault
    )


@cache
def policy() -> Policy:
    return settings.policy(telemetry().configuration_fault)


@cache
def store() -> Store:
    return Store(
        aws.client("dynamodb"),
        settings.needed("TABLE_NAME"),
        retention=settings.retention(),
        event_retention=settings.event_retention(),
    )


@cache
def index() -> Index:
    """Verifications by phone and by reference."""
    return Index(aws.client("dynamodb"), settings.needed("INDEX_TABLE_NAME"))


@cache
def allowed_origins() -> Collection[str]:
    """Origins whose pages may call the API, in their normal form."""
    return settings.origins("ALLOWED_ORIGINS", "AllowedOrigins", telemetry().configuration_fault)


def api_keys(force: bool = False) -> str:
    return secret("API_KEYS_SECRET", force=force)


@cache
def cognito() -> Triggers:
    """What the user pool asks at a sign-up and at a sign-in."""
    from callverify.edge.cognito.account import Accounts
    from callverify.edge.cognito.triggers import Triggers

    pool_id = settings.user_pool()
    return Triggers(
        service=service,
        accounts=Accounts(lambda: aws.client("cognito-idp"), pool_id),
        telemetry=telemetry(),
        pool_id=pool_id,
        base_url=settings.public_base_url() or settings.needed("API_URL"),
    )


@cache
def follow_ups() -> FollowUps:
    """What asks providers and ends windows."""
    from callverify.edge.queues import FollowUps

    return FollowUps(
        service=service,
        questions=_questions,
        send=_later,
        clock=time.time,
        telemetry=telemetry(),
        put_aside=lambda message: _send("STREAM_DEAD_LETTER_QUEUE_URL", message),
    )


@cache
def publications() -> Publications:
    """What tells the outside of transitions."""
    from callverify.edge.queues import Publications

    def put_aside(message: str) -> None:
        _send("REPUBLISH_QUEUE_URL", message)

    def read(verification_id: str) -> Verification | None:
        return store().get(verification_id, int(time.time()))

    updates = _updates()
    tell = updates.tell_changes if updates else None
    return Publications(publisher, index(), _count_usage, read, telemetry(), put_aside, tell)


@cache
def _updates() -> Updates | None:
    """What tells the browsers that listen, where push is on."""
    host = settings.text("UPDATES_HOST")
    if not host:
        return None
    from callverify.events.updates import PUBLISH_SECONDS, Updates

    return Updates(aws.publisher_of_updates(host, PUBLISH_SECONDS), time.time, telemetry().update_unpublished)


def _count_usage(ended: Sequence[Verification]) -> None:
    from callverify.domain.usage import used

    def free(*_: str) -> bool:  # a test key asks no vendor
        return False

    found = {each.id: [*used(each, free if each.mode is Mode.TEST else registry.is_paid)] for each in ended}
    usage().count(found, int(time.time()))


@cache
def usage() -> Usage:
    """What API keys have used, by day."""
    return Usage(aws.client("dynamodb"), settings.needed("INDEX_TABLE_NAME"))


@cache
def publisher() -> Publisher:
    from callverify.events.publish import Publisher

    return Publisher(
        store=store(),
        bus=aws.client("events"),
        bus_name=settings.needed("EVENT_BUS_NAME"),
        enqueue=_enqueue if settings.text("EVENT_WEBHOOK_URL") else None,
        clock=time.time,
        note=telemetry().note,
        failed=telemetry().unpublished,
    )


@cache
def delivery() -> Delivery:
    """What sends events to the customer's URL."""
    from callverify.events.deliver import Delivery

    return Delivery(
        url=settings.text("EVENT_WEBHOOK_URL"),
        read_secrets=lambda: secret("EVENT_SIGNING_SECRET"),
        allow_private=settings.switched_on("ALLOW_PRIVATE_EVENT_URL"),
        clock=time.time,
        about=telemetry().about,
        note=telemetry().note,
        is_erased=store().has_erased_events,
    )


def try_later(record: Mapping[str, Any]) -> None:
    """Hide a message that failed from the delivery queue for longer each time."""
    from callverify.events.deliver import backoff

    count = int(record["attributes"]["ApproximateReceiveCount"])
    wait = backoff(count, base=settings.number("EVENT_RETRY_BASE_SECONDS", 10))
    aws.client("sqs").change_message_visibility(
        QueueUrl=settings.needed("DELIVERY_QUEUE_URL"), ReceiptHandle=record["receiptHandle"], VisibilityTimeout=wait
    )


def _send(queue: str, message: str, **options: Any) -> None:
    aws.client("sqs").send_message(QueueUrl=settings.needed(queue), MessageBody=message, **options)


def _enqueue(events: Sequence[str]) -> set[int]:
    """Queue events for the customer's URL. Returns the places of those that SQS refused."""
    entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(events)]
    queue = settings.needed("DELIVERY_QUEUE_URL")
    answer = aws.client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    return {int(each["Id"]) for each in answer.get("Failed", ())}


def _later(message: str, delay: int) -> None:
    _send("FOLLOW_UP_QUEUE_URL", message, DelaySeconds=delay)


def _questions(verification: Verification) -> Sequence[int]:
    if verification.mode is Mode.TEST:
        return planned_in_test(verification)
    return live_questions(verification, registry.route)
