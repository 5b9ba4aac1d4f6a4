"""Making the service call, and pay, more often than it should: parallel starts against every limit."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from attacks.gateway import gateway
from attacks.guessing import DIGITS, WEAKEST, in_digits, most_within
from attacks.report import Finding
from attacks.world import CODED, NOON, Call, World, phone_number, server
from callverify.domain.errors import CallverifyError
from callverify.domain.words import DAY, HOUR, TEN_MINUTES
from callverify.service.policy import Policy

THREADS = 12
PAID = sorted({str(route.method) for _, route in CODED if route.paid})
# The two large limits, made small enough to be met; the others are the defaults.
POLICY = Policy(key_paid_day=40, stack_paid_hour=45)


def run(client: Any, *, rounds: int, checks: int, met: int) -> list[Finding]:
    """met: of how many limits it takes to be met, for the attack to have been one."""
    return [_parallel(client, rounds, met), _spoofed_addresses(client, checks)]


def _parallel(client: Any, rounds: int, met: int) -> Finding:
    """Rounds of simultaneous starts and repeats, from seconds to an hour apart, around the turn of a day."""
    world = World(client, POLICY, now=NOON + 11 * HOUR)
    chance = random.Random(2)
    asked: dict[str, tuple[str, str]] = {}
    tripped: set[str] = set()
    tries, faults = 0, 0

    def one(number: int, key: str, address: str, method: str) -> None:
        nonlocal faults
        phone = phone_number(number)
        try:
            started = world.start(server(key), phone, method=method, end_user_ip=address)
            asked[started.id] = key, network(address)
            if number % 3 == 0:
                world.repeat(server(key), started.id)
            else:
                world.service.cancel(server(key), started.id, None)
        except CallverifyError as error:
            tripped.add(error.limit or "")
        except Exception:
            faults += 1

    with ThreadPoolExecutor(THREADS) as pool:
        # One subscriber under two spellings of one address, and under two addresses of one network.
        for number, pair in enumerate((("198.51.100.1", "::ffff:198.51.100.1"), ("2001:db8::1", "2001:db8::ffff:2"))):
            tries += 2 * POLICY.ip_10m
            wave = [(200 + 50 * number + n, "a", pair[n % 2], "reverse_call") for n in range(2 * POLICY.ip_10m)]
            list(pool.map(lambda start: one(*start), wave))
        # A block of numbers, each from an address of its own.
        tries += 2 * POLICY.prefix_10m
        wave = [(300 + n, "a", f"203.0.113.{n}", PAID[n % len(PAID)]) for n in range(2 * POLICY.prefix_10m)]
        list(pool.map(lambda start: one(*start), wave))
        world.now += HOUR
        for _ in range(rounds):
            size = chance.choice((6, 12, 24))
            wave = [
                (
                    chance.choice((1, 2, 3, chance.randrange(100))),
                    chance.choice("aabcde"),
                    chance.choice(ADDRESSES),
                    chance.choice((*PAID, *PAID, "reverse_call")),
                )
                for _ in range(size)
            ]
            tries += size
            list(pool.map(lambda start: one(*start), wave))
            world.now += chance.choice((0, 1, 7, 19, 20, 28, 60, 300, 599, 600))
    calls = world.calls()
    broken, reached = _broken_limits(calls, asked), tripped & {name for name, *_ in LIMITS}
    return Finding(
        "call pumping: parallel starts and repeats over phones, blocks, keys and addresses (IPv6 networks too)",
        tries,
        len(broken),
        f"{len(calls)} calls were asked for, in no window more than its limit; {len(reached)} of "
        f"{len(LIMITS)} limits were met ({', '.join(sorted(reached))}). Counted in the start's own transaction, "
        "before a vendor is asked. `key_paid_day` and `stack_paid_hour` count by the UTC clock: around its "
        f"turn up to twice as many{': ' + ', '.join(broken) if broken else ''}",
        not broken and not faults and len(reached) >= met,
    )


ADDRESSES = (
    "198.51.100.1",
    "198.51.100.2",
    "2001:db8::1",
    "2001:db8::ffff:2",
    "2001:db8:0:0:abcd::",
    "::ffff:198.51.100.1",
)


# Name, what it is counted for, how many, in how many seconds.
LIMITS: list[tuple[str, str, int, int]] = [
    ("phone_cooldown", "phone", 1, POLICY.phone_cooldown),
    ("phone_10m", "phone", POLICY.phone_10m, TEN_MINUTES),
    ("ip_10m", "address", POLICY.ip_10m, TEN_MINUTES),
    ("phone_day", "paid phone", POLICY.phone_day, DAY),
    ("prefix_10m", "block", POLICY.prefix_10m, TEN_MINUTES),
    ("key_paid_day", "key", POLICY.key_paid_day, DAY),
    ("stack_paid_hour", "stack", POLICY.stack_paid_hour, HOUR),
]


def network(address: str) -> str:
    """Whose limit it must count against, said here without the service's own word for it."""
    return "2001:db8::/64" if address.startswith("2001") else address.removeprefix("::ffff:")


def _broken_limits(calls: Sequence[Call], asked: dict[str, tuple[str, str]]) -> list[str]:
    """The names of limits that the calls at the vendors exceed, judged from those alone."""
    by: dict[str, dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        paid = call.route.paid
        by["phone"][call.phone].append(call.at)
        if call.verification_id in asked:
            key, address = asked[call.verification_id]
            by["address"][address].append(call.at)
            if paid:
                by["key"][key, call.at // DAY].append(call.at)
        if paid:
            by["paid phone"][call.phone].append(call.at)
            by["block"][call.phone[:-4]].append(call.at)
            by["stack"][call.at // HOUR].append(call.at)
    return [
        name
        for name, group, most, window in LIMITS
        if any(most_within(times, window) > most for times in by[group].values())
    ]


def _spoofed_addresses(client: Any, checks: int) -> Finding:
    """A browser that claims another address with each request: its checks count by the one the gateway saw."""
    policy = Policy(phone_10m=300, prefix_10m=300, browser_10m=20, verification_guesses=5)
    world = World(client, policy)
    passed = 0
    with gateway(world) as entry:
        phones = [phone_number(5000 + number) for number in range(-(-checks // 5))]
        started = [world.start(server(), phone, **WEAKEST) for phone in phones]
        for number in range(checks):
            verification = started[number // 5]
            token = world.keys.client_token(verification.id, verification.created_at)
            claimed = f"203.0.{number // 250}.{number % 250}"
            right = world.keys.code(verification.id, 1, DIGITS)
            wrong = next(code for code in map(in_digits, (1, 2)) if code != right)
            reply = entry.send(
                "POST",
                "/verifications/{id}/check",
                parameters={"id": verification.id},
                body=json.dumps({"code": wrong}),
                credential=token,
                headers={
                    "X-Forwarded-For": claimed,
                    "Forwarded": f"for={claimed}",
                    "X-Real-IP": claimed,
                    "CF-Connecting-IP": claimed,
                    "True-Client-IP": claimed,
                },
                # A /64 belongs to one subscriber.
                source_ip=f"2001:db8::{number + 1:x}",
            )
            passed += reply.status == 200
    return Finding(
        "a false address in every header, and a new one of the same IPv6 /64 for each request",
        checks,
        max(0, passed - policy.browser_10m),
        f"{passed} wrong codes passed in 10 minutes (limit {policy.browser_10m}); addresses come from the request "
        "context alone",
        passed == min(checks, policy.browser_10m),
    )
