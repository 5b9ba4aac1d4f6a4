"""Keeping the user of a phone from verifying it by a reverse call, by asking for verifications of it oneself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attacks.guessing import CODES, in_digits
from attacks.report import Finding
from attacks.world import BY_PHONE, CODED, World, browser, phone_number, server, wish
from callverify.domain.errors import CallverifyError
from callverify.domain.verification import Verification

BOUND = 600
STEP = 5
REVERSE = {"method": "reverse_call"}
METHODS = sorted({str(route.method) for _, route in CODED} | {"reverse_call"})
# What a start asks for: a call with a code, one that the user makes, and one at each vendor that knows it by phone.
CODE = {"method": str(CODED[0][1].method)}
WISHES = {"code": CODE, "reverse": REVERSE} | {f"by phone {n}": wish(*each) for n, each in enumerate(BY_PHONE)}
BY_PHONE_WISHES = [name for name in WISHES if name.startswith("by phone")]


@dataclass
class _Attacker:
    """Asks for the victim's phone through the customer's own form; `last` is when such a request was last accepted.

    They have any number of addresses, and of a verification its client token: what a form hands out.
    """

    world: World
    phone: str
    chance: random.Random
    live: Verification | None = None
    last: float = 0

    def act(self, way: str) -> bool:
        """One try of one kind; whether it was accepted."""
        world, live = self.world, self.live
        try:
            match way:
                case start if start in WISHES:
                    fields = {"allowed_methods": METHODS, "end_user_ip": f"203.0.113.{self.chance.randrange(250)}"}
                    self.live = world.start(server(), self.phone, **WISHES[start], **fields)
                case "guess" if live:
                    token = browser(live, f"203.0.113.{self.chance.randrange(250)}", world.now)
                    code = in_digits(self.chance.randrange(1, CODES + 1))
                    world.service.check(token, live.id, json.dumps({"code": code}))
                case "switch" if live:
                    token = browser(live, "203.0.113.9", world.now)
                    world.switch(token, live.id, phone=self.phone, method=self.chance.choice(METHODS))
                case "cancel" if live:
                    world.service.cancel(server(), live.id, None)
                case _:
                    return False
        except CallverifyError:
            return False
        self.last = world.now
        return True


WAYS = [
    ["code", "guess", "guess", "guess"],
    ["reverse"],
    ["reverse", "code", *BY_PHONE_WISHES, "guess", "switch", "cancel"],
    ["reverse", "cancel", "code", *BY_PHONE_WISHES],
    ["reverse", "switch"],
    ["code"],
    BY_PHONE_WISHES or ["reverse"],
]


def run(client: Any, *, sieges: int, minutes: int) -> list[Finding]:
    return [_stops(client, sieges), _goes_on(client, minutes)]


def _stops(client: Any, sieges: int) -> Finding:
    """The attacker goes on for some minutes and stops; how long after their last accepted request is the phone shut?"""
    world = World(client)
    chance = random.Random(3)
    waits, tries = [], 0
    for siege in range(sieges):
        ways = WAYS[siege % len(WAYS)]
        attacker = _Attacker(world, phone_number(3000 + siege), chance)
        for _ in range(chance.randrange(20, 90)):
            for way in chance.sample(ways, len(ways)):
                attacker.act(way)
                tries += 1
            world.now += chance.choice((1, 5, 9, 30))
        waits.append(_wait_of_the_victim(world, attacker))
    longest = int(max(waits))
    return Finding(
        "lock-out: starts, guesses, switches and cancels for a victim's phone, as fast as limits allow, then silence",
        tries,
        sum(wait > BOUND for wait in waits),
        f"the victim's reverse call started at most {longest} s after the attacker's last accepted request (bound "
        f"{BOUND} s: `phone_10m`, or the live verification's window); wrong guesses never touch reverse calls",
        longest <= BOUND,
    )


def _wait_of_the_victim(world: World, attacker: _Attacker) -> float:
    """Seconds of trying every few of them until a reverse call can be started, from the attacker's last effect on."""
    now, world.now = world.now, attacker.last
    while world.now <= attacker.last + 2 * BOUND:
        if _succeeds(lambda: world.start(server(), attacker.phone, **REVERSE)):
            break
        world.now += STEP
    waited, world.now = world.now - attacker.last, now
    return waited


def _goes_on(client: Any, minutes: int) -> Finding:
    """The attacker never stops, and is the faster one of the two at every instant."""
    world = World(client)
    attacker = _Attacker(world, phone_number(3999), random.Random(4))
    tries, got_in = 0, 0
    for _ in range(minutes * 60 // 10):
        attacker.act("reverse")
        got_in += _succeeds(lambda: world.start(server(), attacker.phone, **REVERSE))
        tries += 1
        world.now += 10
    return Finding(
        f"lock-out by an attacker who goes on for {minutes} minutes and always asks first",
        tries,
        int(got_in == 0),
        f"the victim got in {got_in} times: 5 starts in 10 minutes with windows of 120 s fill all of the time, and one "
        "live verification per phone is what ties a reverse call to the session that asked first. The customer sees "
        "it: every start is their own server's",
        holds=True,
        expected=got_in == 0,
    )


def _succeeds(start: Callable[[], object]) -> bool:
    try:
        start()
    except CallverifyError:
        return False
    return True
