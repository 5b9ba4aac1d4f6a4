"""Routes that find, erase and block: without their scope, with forged cursors, to get rid of what protects."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from attacks.credentials import api_key, entry
from attacks.doors import basic
from attacks.gateway import Gateway, gateway
from attacks.guessing import WEAKEST
from attacks.report import Finding
from attacks.world import World, phone_number, server
from callverify.domain import errors
from callverify.domain.words import Scope
from callverify.service.policy import Policy
from tests.support.handlers import Answer
from tests.support.service import BASE_URL

SEARCH = ("POST", "/verifications/search")
OWNER, OTHER, TEST = (api_key(name) for name in "WOT")
# What each route that takes a phone asks for.
BY_PHONE = {
    SEARCH: Scope.SEARCH,
    ("POST", "/erasures"): Scope.ERASE,
    ("PUT", "/blocks"): Scope.BLOCK,
    ("DELETE", "/blocks"): Scope.BLOCK,
}
# The same number, as people write it.
WRITTEN = (
    "{}",
    "tel:{}",
    " {}",
    "\u200b{}",
    "{0[0]}{0[1]} ({0[2]}{0[3]}{0[4]}) {0[5]}{0[6]}{0[7]}-{0[8]}{0[9]}{0[10]}{0[11]}",
)


def run(client: Any, *, phones: int) -> list[Finding]:
    return [
        _without_scope(client, phones),
        _cursors(client, phones),
        _erasing(client, phones),
        _blocking(client, phones),
    ]


def _ask(way_in: Gateway, route: tuple[str, str], key: str, **more: Any) -> Answer:
    body = json.dumps(more.pop("body"))
    return way_in.send(*route, body=body, credential=key, **more)


def _without_scope(client: Any, phones: int) -> Finding:
    """Is anything answered otherwise for a phone with a verification than for a stranger's?"""
    world = World(client)
    lacking = {scope: api_key("abcdefgh"[place]) for place, scope in enumerate(Scope)}
    keys = [entry(key, [*map(str, {*Scope} - {scope})]) for scope, key in lacking.items()]
    keys += [entry(OWNER, [*map(str, Scope)]), entry(TEST, [*map(str, Scope)], "test")]
    tried = learned = 0
    with gateway(world, keys) as way_in:
        for number in range(phones):
            mine = world.start(server(), phone_number(number), **WEAKEST)
            world.index.add(world.store.get_many([mine.id], int(world.now)))
            token = world.keys.client_token(mine.id, mine.created_at)
            for route, scope in BY_PHONE.items():
                held = [("Bearer", lacking[scope]), ("Bearer", TEST), ("Bearer", token), ("Basic", basic(OWNER))]
                for scheme, key in held:
                    for policy in (True, False):
                        told = [
                            _ask(way_in, route, key, body={"phone": phone}, scheme=scheme, applies_policy=policy)
                            for phone in (phone_number(number), phone_number(number + 4_000))
                        ]
                        same = (told[0].status, told[0].headers, told[0].body) == (
                            told[1].status,
                            told[1].headers,
                            told[1].body,
                        )
                        learned += not same or told[0].status < 400
                        tried += 2
            learned += world.store.get(mine.id, int(world.now)) != mine
            world.now += 1_200
        found = _ask(way_in, SEARCH, api_key("W"), body={"phone": phone_number(0)}).status == 200
    return Finding(
        "search, erasure and blocking by phone without the scope, with a test key, a client token and a key as Basic",
        tried,
        learned,
        "who may ask is judged before the phone is read: a phone with a verification and a stranger's get one answer",
        learned == 0 and found,
    )


def _cursors(client: Any, phones: int) -> Finding:
    """Of two keys that use one reference, each with the other's cursors, and with cursors of its own making."""
    world, chance = World(client, Policy(key_search_day=10**6)), random.Random(9)
    keys = [entry(key, [*map(str, Scope)]) for key in (OWNER, OTHER)]
    tried = learned = turned = 0
    with gateway(world, keys) as way_in:
        own: dict[str, set[str]] = {OWNER: set(), OTHER: set()}
        for number in range(4 * phones):
            key = (OWNER, OTHER)[number % 2]
            body = {"phone": phone_number(number), "reference": "order", **WEAKEST}
            own[key].add(_ask(way_in, ("POST", "/verifications"), key, body=body).id)
            world.now += 60
        world.index.add(world.store.get_many([id_ for ids in own.values() for id_ in ids], int(world.now)))
        for key in own:
            page = _ask(way_in, SEARCH, (OTHER if key == OWNER else OWNER), body={"reference": "order", "limit": 1})
            for cursor in _forged(str(page["next"]), [*own[OWNER], *own[OTHER]], int(world.now), chance):
                for subject in ({"reference": "order"}, {"phone": phone_number(1)}):
                    answer = _ask(way_in, SEARCH, key, body={**subject, "after": cursor})
                    told = answer.body.get("verifications", ())
                    learned += answer.status not in (200, 400, 409) or not {each["id"] for each in told} <= own[key]
                    turned += len(told)
                    tried += 1
    return Finding(
        "cursors of a search: another key's, of another search, tampered with and made up",
        tried,
        learned,
        f"a cursor is a place and no right: {turned} verifications were found, all of them the asking key's own",
        learned == 0 and turned > 0,
    )


def _forged(cursor: str, ids: Sequence[str], now: int, chance: random.Random) -> Iterator[str]:
    yield from (cursor, cursor[:-1], cursor + "=", cursor[::-1], "", "*", "٣" * 20)
    for id_ in ids:
        for at in (now, now + 10**6, 0):
            yield _cursor(f"{at:010}#{id_}")
        yield _cursor(f"reference#live#*#order#{now:010}#{id_}")
        yield _cursor(f"{now:010}#{id_}\n")
    for _ in range(len(ids)):
        place = chance.randrange(len(cursor))
        yield cursor[:place] + chance.choice("ABCxyz019-_") + cursor[place + 1 :]


def _cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


def _erasing(client: Any, phones: int) -> Finding:
    """Start, guess until refused, erase; and each Idempotency-Key again. For a day."""
    policy = Policy()
    world, asks = World(client, policy), server()
    tried = over = replayed = 0
    for number in range(phones):
        phone, keys, wrong = phone_number(number), list[tuple[str, str]](), 0
        began, calls = world.now, len(world.calls())
        for turn in range(12):
            body, key = json.dumps({"phone": phone, **WEAKEST}), f"{number}-{turn}"
            with suppress(errors.CallverifyError):
                started = world.service.start(asks, body, idempotency_key=key, base_url=BASE_URL).verification
                keys.append((key, body))
                right = world.vendor(started.provider).last_code(phone)
                for _ in range(4):
                    world.service.check(asks, started.id, json.dumps({"code": "0001" if right != "0001" else "0002"}))
                    wrong += 1
            world.record_service.erase_phone(asks, json.dumps({"phone": phone}))
            asked = len(world.calls())
            for key, body in keys:
                tried += 1
                with suppress(errors.NotFound):
                    world.service.start(asks, body, idempotency_key=key, base_url=BASE_URL)
                    replayed += 1
            replayed += len(world.calls()) - asked
            tried += 1
            world.now += 61
        over += max(0, wrong - policy.phone_guesses) + max(0, len(world.calls()) - calls - 2 * policy.phone_10m)
        world.now = began + 86_400 * 2
    return Finding(
        "erasing a phone to have its guesses, limits and Idempotency-Keys anew",
        tried,
        over + replayed,
        f"{len(world.calls())} calls: what protects a phone outlives its erasure, at most {policy.phone_guesses} wrong "
        "guesses a day among it, and an Idempotency-Key of what is erased answers 404 and asks no vendor",
        over + replayed == 0 and bool(world.calls()),
    )


def _blocking(client: Any, phones: int) -> Finding:
    """Starts, switches and repeats for a blocked phone, however it is written and whatever is pending."""
    policy = Policy(phone_10m=90, phone_day=90, phone_cooldown=0)
    world, asks, chance = World(client, policy), server(), random.Random(3)
    tried = rung = before = 0
    for number in range(phones):
        phone = phone_number(number)
        live = world.start(asks, phone, **WEAKEST)
        before += 1
        calls = len(world.calls())
        world.now += 61
        world.record_service.block(asks, json.dumps({"phone": chance.choice(WRITTEN).format(phone)}))
        for erased in (False, True):
            if erased:
                world.record_service.erase_phone(asks, json.dumps({"phone": phone}))
            for text in [written.format(phone) for written in WRITTEN]:
                switch = partial(world.switch, asks, live.id, phone=text, method=live.method)
                for act in (partial(world.start, asks, text, **WEAKEST), switch, partial(world.repeat, asks, live.id)):
                    with suppress(errors.CallverifyError):
                        act()
                    tried += 1
        rung += len(world.calls()) - calls
        world.now += 1_200
    return Finding(
        "starts, switches, repeats and erasures for a blocked phone, written in five ways",
        tried,
        rung,
        f"{before} calls before the blocks, none after: a block stands in the item that each start, switch and repeat "
        "writes, under the number in E.164, and outlives an erasure",
        rung == 0,
    )
