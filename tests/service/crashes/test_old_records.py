"""Records that version 1 wrote, and such as a later version might: a function reads them, and goes on with them.

`version_1.json` holds items as that version's functions left them in the table, by what had happened.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callverify.domain import errors
from callverify.domain.questions import planned
from callverify.domain.view import resource
from callverify.domain.words import Status
from callverify.edge.queues import FollowUps
from callverify.events.publish import transition
from callverify.events.telemetry import Telemetry
from callverify.service.check import Checked
from callverify.service.started import Started
from callverify.store.items import verification_of, verification_of_image
from tests.service.crashes.judge import Judge
from tests.service.crashes.world import World
from tests.support.service import TABLE

ITEMS: dict[str, Any] = json.loads((Path(__file__).parent / "version_1.json").read_text())
RECORDS = {name: item for name, item in ITEMS.items() if item["pk"]["S"].startswith("verification#")}
STARTED = 1_800_000_000
NEEDED = {"id", "pk", "ttl"}


class Unjudged(Judge):
    def __call__(self) -> None: ...


def put(world: World, *items: dict[str, Any]) -> None:
    """Have items in the table that this version did not write, and that the world can't judge."""
    world.judge = Unjudged(world)
    for item in items:
        world.rows.put_item(TableName=TABLE, Item=item)


def with_unknown_words(image: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The image with each of its words replaced by one that nobody knows, one at a time."""

    def places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        ((kind, inner),) = value.items()
        if kind == "S":
            yield path
        elif kind == "M":
            for name, member in inner.items():
                yield from places(member, (*path, "M", name))
        elif kind == "L":
            for number, member in enumerate(inner):
                yield from places(member, (*path, "L", number))

    for name in ("mode", "status", "method", "provider", "reason", "evidence", "attempts", "steps", "allowed_methods"):
        for path in places(image[name], ()) if name in image else ():
            changed = copy.deepcopy(image)
            at = changed[name]
            for part in path:
                at = at[part]
            at["S"] = "word_of_later"
            yield changed


def readers(image: dict[str, Any]) -> None:
    """All that reads a record without asking whether it knows its words."""
    verification = verification_of_image(image)
    assert verification is not None
    for now in (verification.created_at, verification.expires_at):
        json.dumps(resource(verification, now))
    transition(None, verification)
    FollowUps(
        service=lambda: pytest.fail("not asked"),
        questions=planned,
        send=lambda *_: None,
        clock=lambda: 0,
        telemetry=cast("Telemetry", SimpleNamespace(detail=lambda *_, **__: None)),
        put_aside=pytest.fail,
    ).schedule({"Records": [{"dynamodb": {"NewImage": image}}]})


@pytest.mark.parametrize("image", RECORDS.values(), ids=RECORDS)
def test_a_record_of_version_1_is_read(image: dict[str, Any]) -> None:
    readers(image)
    verification = verification_of_image(image)
    assert verification is not None
    assert verification.status == image["status"]["S"]
    assert verification.wrong == verification.guesses == int(image["guesses"]["N"])


@pytest.mark.parametrize("image", RECORDS.values(), ids=RECORDS)
def test_a_record_is_read_whatever_member_is_missing(image: dict[str, Any]) -> None:
    for name in image.keys() - NEEDED:
        readers({other: value for other, value in image.items() if other != name})
        readers(image | {name: {"NULL": True}})
    for name in ("attempts", "steps"):
        for number, member in enumerate(image[name]["L"]):
            for part in member["M"]:
                changed = copy.deepcopy(image)
                del changed[name]["L"][number]["M"][part]
                readers(changed)
    nameless = verification_of({"id": "vrf_test_0"})
    assert nameless is not None
    assert nameless.mode == "test"


@pytest.mark.parametrize("image", RECORDS.values(), ids=RECORDS)
def test_a_record_is_read_whatever_its_words_are(image: dict[str, Any]) -> None:
    tried = 0
    for changed in with_unknown_words(image):
        readers(changed)
        tried += 1
    assert tried >= 10
    status = image | {"status": {"S": "word_of_later"}}
    verification = verification_of_image(status)
    assert verification is not None
    assert not verification.is_live(STARTED)
    assert verification.status not in set(Status)


@pytest.mark.parametrize("missing", sorted(RECORDS["flash call"].keys() - NEEDED))
def test_a_flash_call_goes_on_without_a_member(world: World, missing: str) -> None:
    image = {name: value for name, value in RECORDS["flash call"].items() if name != missing}
    put(world, image, ITEMS["phone"])
    id = image["id"]["S"]  # noqa: A001
    for answer in (world.read(id), world.start(provider="ucaller"), world.check(id, "0000")):
        assert not isinstance(answer, errors.InternalError), answer
    world.advance(300)
    world.follow_up(id, 1)


@pytest.mark.parametrize("name", ["provider", "method", "status", "mode"])
def test_a_record_of_a_later_version_is_told_and_keeps_nobody_out(world: World, name: str) -> None:
    image = RECORDS["flash call"] | {name: {"S": "word_of_later"}}
    put(world, image, ITEMS["phone"])
    id = image["id"]["S"]  # noqa: A001
    told = world.read(id)
    if name == "mode":  # neither a live key's nor a test key's
        assert isinstance(told, errors.NotFound)
    else:
        assert not isinstance(told, errors.CallverifyError), told
    again = world.start(provider="telefon_ip")
    assert isinstance(again, Started if name == "status" else errors.VerificationInProgress), again
    world.advance(300)
    assert isinstance(world.start(provider="telefon_ip"), Started | errors.VerificationInProgress)


def test_a_flash_call_of_version_1_is_finished_by_this_one(world: World) -> None:
    put(world, RECORDS["flash call, two wrong codes"], ITEMS["phone"], ITEMS["guesses"], ITEMS["idempotency"])
    id = ITEMS["flash call"]["id"]["S"]  # noqa: A001
    for left in (2, 1, 0):
        answer = world.check(id, "0000")
        assert isinstance(answer, Checked)
        assert answer.valid is False
        assert answer.verification.guess_limit - answer.verification.guesses == left
    assert world.record(id).reason == "checks_exhausted"
    assert not any(pk.startswith("phone#") for pk in world.rows.tables[TABLE]), "its phone is free again"
