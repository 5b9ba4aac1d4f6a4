"""Living off somebody else: a late call verifies one's session, the table tells a number, refusals spend a limit."""

from __future__ import annotations

import random
from typing import Any

from attacks.gateway import gateway, report_call
from attacks.guessing import WEAKEST
from attacks.report import Finding
from attacks.world import BY_PHONE, World, phone_number, server, wish
from callverify.domain.errors import CallverifyError
from callverify.domain.words import Status
from callverify.providers.base import Manifest, Route
from callverify.service.policy import HOLD_SECONDS, VERIFIED_HOLD_SECONDS, Policy
from tests.support.vendors import Mood


def run(client: Any, *, sessions: int) -> list[Finding]:
    late = [_late_calls(client, sessions, manifest, route) for manifest, route in BY_PHONE]
    return [*late, _reads_the_table(client), _refused(client)]


def _late_calls(client: Any, sessions: int, manifest: Manifest, route: Route) -> Finding:
    """The user's call for an earlier session comes late, or again; the attacker's session has begun in between."""
    world, chance, wanted = World(client), random.Random(5), wish(manifest, route)
    tries, stolen = 0, 0
    with gateway(world) as way_in:

        def call(phone: str) -> None:
            report_call(way_in, world, manifest, phone)

        for number in range(sessions):
            phone = phone_number(number)
            first = world.start(server("a"), phone, **wanted)
            # After a verified call its redial comes within 2 minutes, else the call within 10 minutes of the window.
            verified = chance.random() < 0.4
            if verified:
                world.now += 25
                call(phone)
                late = chance.randrange(VERIFIED_HOLD_SECONDS)
            elif chance.random() < 0.5:
                world.service.cancel(server("a"), first.id, None)
                late = chance.randrange(30, HOLD_SECONDS)
            else:
                late = route.window.default + chance.randrange(HOLD_SECONDS)
            end = world.now + late
            mine = []
            while world.now < end:
                for fields in (wanted, {"method": route.method}):
                    tries += 1
                    try:
                        mine.append(world.start(server("b"), phone, **fields).id)
                    except CallverifyError:
                        continue
                world.now = min(end, world.now + 30)
            call(phone)
            stolen += sum(_status(world, each) is Status.VERIFIED for each in mine)
    return Finding(
        f"late and repeated calls for an earlier session, at a vendor that knows calls by phone alone "
        f"({manifest.title})",
        tries,
        stolen,
        f"{sessions} phones: such a vendor is passed over for a phone until {HOLD_SECONDS // 60} minutes after the "
        f"window, and for {VERIFIED_HOLD_SECONDS} s after a verified call",
        not stolen,
    )


def _status(world: World, verification_id: str) -> Status | None:
    found = world.store.get(verification_id, int(world.now))
    return found.status if found else None


def _reads_the_table(client: Any) -> Finding:
    """The attacker reads every item, starts three numbers of suspected blocks, and looks for the victim's."""
    world = World(client)
    victim = "+79000001234"
    world.start(server("a"), victim, **WEAKEST)
    world.now += 30
    record = next(item for item in _items(world) if item["pk"].startswith("verification#"))
    for phone in ("+79000005678", "+79000010000", "+79000020000"):
        world.start(server("b"), phone, **WEAKEST)
        world.now += 30
    items = _items(world)
    blocks = [item for item in items if item["pk"].startswith("limit#prefix_10m#")]
    known = {str(value) for name, value in record.items() if name not in ("mode", "method", "provider", "status")}
    tied = [
        item["pk"]
        for item in blocks
        if item["pk"].rpartition("#")[2] in repr(record) or {str(value) for value in item.values()} & known
    ]
    times = {str(moment) for moment in range(int(world.now) - 300, int(world.now) + 700)}
    told = [item["pk"] for item in blocks if {str(value) for value in item.values()} & times]
    found = len(tied) + len(told)
    return Finding(
        "the whole table read without the pepper, and three starts of numbers in suspected blocks",
        len(items),
        found,
        "no record holds the hash of a block, and the item of a block holds no time; a start tells the hash "
        "of the very number that was started, and no more",
        not found and bool(blocks),
    )


def _items(world: World) -> list[dict[str, Any]]:
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in world.items()]


def _refused(client: Any) -> Finding:
    """Starts that the vendor refuses use up everybody's paid calls, from one address and from lines of one /56."""
    world = World(client, Policy(key_paid_day=3, stack_paid_hour=3, prefix_10m=3))
    vendor, tries = world.vendor(WEAKEST["provider"]), 0
    vendor.mood = Mood.REFUSES
    for number in range(20):
        tries += 1
        _quietly(world, phone_number(number), "198.51.100.1", **WEAKEST)
    vendor.mood, asked = Mood.WELL, vendor.asked
    most = world.policy.ip_refused_10m
    passed = sum(
        _quietly(world, phone_number(100 + number), f"2001:db8:0:{number % 4:x}::1", method="reverse_call")
        for number in range(60)
    )
    limit = world.policy.ip_block_10m
    return Finding(
        "starts of numbers that the vendor refuses, and 60 starts from four /64s of one line",
        tries + 60,
        max(0, asked - most) + max(0, passed - limit),
        f"{asked} refused starts of one address reached the vendor (limit {most}), {passed} starts of one /56 passed "
        f"(limit {limit}). What was certainly no call is given back, at most as often as each limit in its window",
        asked <= most and passed <= limit,
    )


def _quietly(world: World, phone: str, address: str, **fields: str) -> bool:
    try:
        world.start(server(), phone, **fields, end_user_ip=address)
    except CallverifyError:
        return False
    return True
