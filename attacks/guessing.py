"""Guessing the code of a call: how many guesses are ever compared, and what they win."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from operator import itemgetter
from statistics import NormalDist
from typing import Any

from attacks.report import Finding
from attacks.world import CODED, PEPPER, World, browser, phone_number, server, wish
from callverify.domain.errors import CallverifyError
from callverify.domain.keys import Keys
from callverify.domain.verification import Verification
from callverify.domain.words import DAY, Caller
from callverify.service.policy import Policy

THREADS = 8
# The shortest code of our own that a manifest declares is the one to guess: vendors' own have fewer checks.
DIGITS, WEAKEST = min(
    ((route.code.digits, wish(manifest, route)) for manifest, route in CODED if route.code and route.code.ours),
    key=itemgetter(0),
)
CODES = 10**DIGITS - 1
GUESSES_PER_PHONE, GUESSES_PER_VERIFICATION = 9, 5
CHANCE_PER_PHONE = GUESSES_PER_PHONE / CODES
PUBLISHED_BOUND = 0.001

# With the limits on calls in force there would be far fewer guesses to count.
WITHOUT_CALL_LIMITS = Policy(
    phone_10m=300, phone_day=300, prefix_10m=300, ip_10m=300, key_paid_day=10**6, stack_paid_hour=10**6
)
EDGES = (DAY, DAY - 1, DAY + 1, 3600, DAY // 2)
ROUNDS = 4  # of starts for each phone; the third is refused, and so is the fourth


@dataclass
class Attacker:
    """Everything that is to be had: many keys, addresses and verifications, and all requests at once.

    `compared` are the times at which a guess against a phone was compared, and `right` those that were right.
    """

    world: World
    pool: ThreadPoolExecutor
    random: random.Random
    tries: int = 0
    compared: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by_verification: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    right: list[str] = field(default_factory=list)
    unexpected: list[BaseException] = field(default_factory=list)

    def besiege(self, phones: Sequence[str]) -> None:
        """Spend on each phone all the guesses that can be had of it now: starts, switches, repeats and checks."""
        for turn in range(ROUNDS):
            for started in self.pool.map(self.start, phones, repeat(turn)):
                if started:
                    self._guess_all(*started)
            self.world.now += 29  # past the cooldown

    def start(self, phone: str, turn: int) -> tuple[str, Verification] | None:
        caller = server(f"key {turn} {phone}")
        self.tries += 1
        try:
            return phone, self.world.start(caller, phone, **WEAKEST, end_user_ip=f"198.51.{turn}.{int(phone[-2:])}")
        except CallverifyError:
            return None

    def _guess_all(self, phone: str, verification: Verification) -> None:
        codes = iter(self.random.sample(range(1, CODES + 1), 24))
        callers = [server("key"), *(browser(verification, f"203.0.113.{n}", self.world.now) for n in range(3))]

        def burst(size: int) -> None:
            list(self.pool.map(lambda pair: self.guess(phone, verification, *pair), self._pairs(callers, codes, size)))

        burst(3)
        # A fresh code in the same verification, another call of the same code: neither may win a guess.
        for again in (partial(self._switch, phone), self._repeat):
            self.world.now += 29
            self.tries += 1
            with suppress(CallverifyError):
                again(verification)
            burst(4)
        burst(6)

    def _switch(self, phone: str, verification: Verification) -> None:
        self.world.switch(server("key"), verification.id, phone=phone, method=WEAKEST["method"])

    def _repeat(self, verification: Verification) -> None:
        self.world.repeat(server("key"), verification.id)

    def _pairs(self, callers: Sequence[Caller], codes: Iterable[int], size: int) -> list[tuple[Caller, str]]:
        return [(self.random.choice(callers), in_digits(code)) for code, _ in zip(codes, range(size), strict=False)]

    def guess(self, phone: str, verification: Verification, caller: Caller, code: str) -> bool:
        """Whether the guess was right. A guess that is refused is none; what else goes wrong is noted."""
        self.tries += 1
        try:
            reply = self.world.service.check(caller, verification.id, json.dumps({"code": code}))
        except CallverifyError:
            return False
        except BaseException as error:
            self.unexpected.append(error)
            return False
        if reply.valid:
            self.right.append(phone)
        else:
            self.compared[phone].append(self.world.now)
            self.by_verification[verification.id] += 1
        return bool(reply.valid)

    def most_in_a_day(self) -> int:
        """The most wrong guesses that were compared against one phone in any 24 h."""
        return max((most_within(times, DAY) for times in self.compared.values()), default=0)


def in_digits(code: int) -> str:
    return f"{code:0{DIGITS}d}"


def most_within(times: Sequence[float], seconds: float) -> int:
    """The most members of `times` in any half-open interval of that length."""
    ordered, first, most = sorted(times), 0, 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def run(client: Any, *, phones: int, days: int, edges: int, codes: int, checks: int) -> list[Finding]:
    """phones: attacked through the store, on `days` days. edges: how many. codes: phones to measure chance with.

    checks: sent from an address that is full.
    """
    return [
        _siege(client, phones, days),
        _edges(client, EDGES[:edges]),
        _full_address(client, checks),
        measure(codes),
        spray(),
    ]


def _siege(client: Any, phones: int, days: int) -> Finding:
    world = World(client, WITHOUT_CALL_LIMITS)
    with ThreadPoolExecutor(THREADS) as pool:
        attacker = Attacker(world, pool, random.Random(1))
        targets = [phone_number(7000 + n) for n in range(phones)]
        for _ in range(days):
            attacker.besiege(targets)
            world.now += DAY - 600 - ROUNDS * 29  # just before what might be the end of a day, and just after it
            attacker.besiege(targets)
            world.now += 1200
    most = attacker.most_in_a_day()
    most_each = max(attacker.by_verification.values(), default=0)
    wins = len(attacker.right)
    tried = sum(map(len, attacker.compared.values())) + wins
    return Finding(
        f"guessing a code: {phones} phones for {days} days, in parallel, over restarts, repeats, switches, keys and "
        "addresses, with the limits on calls switched off",
        attacker.tries,
        wins,
        f"{tried:,} guesses were compared: at most {most} wrong ones against one phone in any 24 h (limit "
        f"{GUESSES_PER_PHONE}) and {most_each} in one verification (limit {GUESSES_PER_VERIFICATION}); chance makes "
        f"{tried / CODES:.2f} of them right",
        most <= GUESSES_PER_PHONE
        and most_each <= GUESSES_PER_VERIFICATION
        and not attacker.unexpected
        and chance_of_at_least(wins, tried, 1 / CODES) > 1e-6,
    )


def _edges(client: Any, steps: Sequence[int]) -> Finding:
    """Guesses on both sides of every instant at which a count might begin anew, and right guesses in between."""
    world = World(client, WITHOUT_CALL_LIMITS)
    tries, overrun, verified = 0, 0, 0
    with ThreadPoolExecutor(THREADS) as pool:
        for number, seconds in enumerate(steps):
            phone = phone_number(7900 + number)
            attacker = Attacker(world, pool, random.Random(number))
            # One guess begins the count; all others come just before and just after that is `seconds` ago.
            first = world.now
            if started := attacker.start(phone, 0):
                attacker.guess(phone, started[1], server("a"), in_digits(0))
            for time in (first + seconds - 600, first + seconds, first + seconds + DAY):
                world.now = max(world.now, time)
                for _ in range(3):
                    _let_the_user_in(attacker, phone)
                attacker.besiege([phone])
            tries += attacker.tries
            verified += len(attacker.right)
            overrun += attacker.most_in_a_day() > GUESSES_PER_PHONE or bool(attacker.unexpected)
    return Finding(
        "the same at the edges of 24 h, with the phone's own user verifying in between",
        tries,
        overrun,
        f"the user verified {verified} times; a right guess gives back only the guess it took: there were never more "
        f"than {GUESSES_PER_PHONE} wrong ones in any 24 h",
        overrun == 0 and verified >= len(steps),
    )


def _let_the_user_in(attacker: Attacker, phone: str) -> None:
    """The user types the right code while two wrong ones arrive for the same verification."""
    world = attacker.world
    world.now += 29
    started = attacker.start(phone, 0)
    if started is None:
        return
    verification = started[1]
    right = world.keys.code(verification.id, 1, DIGITS)
    wrong = [code for code in map(in_digits, (1, 2, 3)) if code != right][:2]
    list(attacker.pool.map(lambda code: attacker.guess(phone, verification, server("a"), code), [right, *wrong]))


class CountingKeys(Keys):
    """Counts how often a code is derived, as each comparison has to."""

    derived = 0

    def code(self, verification_id: str, attempt: int, digits: int = 4) -> str:
        self.derived += 1
        return super().code(verification_id, attempt, digits)


def _full_address(client: Any, checks: int) -> Finding:
    """Every code there is, the right one among them, from an address that has used up its wrong ones."""
    policy = replace(WITHOUT_CALL_LIMITS, browser_10m=20)
    world = World(client, policy)
    address = "203.0.113.7"
    with ThreadPoolExecutor(THREADS) as pool:
        attacker = Attacker(world, pool, random.Random(1))
        for number in range(policy.browser_10m // GUESSES_PER_VERIFICATION):
            started = attacker.start(phone_number(7950 + number), 0)
            assert started is not None
            for _ in range(GUESSES_PER_VERIFICATION):
                attacker.guess(*started, browser(started[1], address, world.now), in_digits(0))
        victim = attacker.start(phone_number(7960), 0)
        assert victim is not None
        keys = world.use_keys(CountingKeys(PEPPER))
        full = browser(victim[1], address, world.now)
        codes = (in_digits(number % CODES + 1) for number in range(checks))
        right = keys.code(victim[1].id, 1, DIGITS)
        keys.derived = 0
        list(pool.map(lambda code: attacker.guess(*victim, full, code), [right, *codes]))
    left = world.service.read(server(), victim[1].id)
    spent = left.guesses
    return Finding(
        "checks from an address whose wrong codes are used up, the right code among them",
        checks + 1,
        len(attacker.right),
        f"{keys.derived} codes were compared, and {spent} guesses spent: seen from elsewhere, the verification is "
        f"{left.status} with {left.guess_limit - spent} of {left.guess_limit} left. The address is judged first, in "
        "the transaction that would spend the guess",
        keys.derived == 0 and spent == 0 and not attacker.right and not attacker.unexpected,
    )


def measure(phones: int) -> Finding:
    """The chance itself: every phone gets all the guesses that the store would ever let through in a day.

    The attacker is as good as can be: 5 different codes of a first verification, 4 of a second one.
    """
    keys = Keys("Another" * 9)
    wins = 0
    first = {in_digits(code) for code in range(1, GUESSES_PER_VERIFICATION + 1)}
    second = {in_digits(code) for code in range(1, GUESSES_PER_PHONE - GUESSES_PER_VERIFICATION + 1)}
    for number in range(phones):
        wins += keys.code(f"vrf_{number}a", 1, DIGITS) in first or keys.code(f"vrf_{number}b", 1, DIGITS) in second
    high = upper_limit(wins, phones)
    return Finding(
        "the chance itself: 9 different guesses at real codes of each phone",
        phones * GUESSES_PER_PHONE,
        wins,
        f"{wins / phones:.4%} of {phones:,} phones, at most {high:.4%} with 99 % confidence; the bound is "
        f"{GUESSES_PER_PHONE}/{CODES} = "
        f"{CHANCE_PER_PHONE:.4%}, published as {PUBLISHED_BOUND:.1%} per phone and day",
        chance_of_at_least(wins, phones, CHANCE_PER_PHONE) > 1e-4,
    )


def spray(policy: Policy | None = None) -> Finding:
    """What guessing against many phones wins: computed, since it follows from the limits on calls."""
    policy = policy or Policy()
    per_call = policy.verification_guesses / CODES
    key_day = policy.key_paid_day * per_call
    stack_day = policy.stack_paid_hour * 24 * per_call
    return Finding(
        "spraying: 5 guesses at each of as many phones as may be called (computed)",
        policy.key_paid_day * policy.verification_guesses,
        math.ceil(key_day),
        f"right guesses, of phones that chance picks: {key_day:.2f} a day by one API key ({policy.key_paid_day} calls)"
        f", {stack_day:.0f} by {math.ceil(policy.stack_paid_hour * 24 / policy.key_paid_day)} keys and the whole stack "
        f"({policy.stack_paid_hour} calls an hour); one `end_user_ip`, where starts name it, makes "
        f"{policy.ip_10m * 144:,} starts a day at most. Every one is paid for and rings a stranger",
        True,
        expected=True,
    )


# Statistics


def upper_limit(wins: int, tries: int, confidence: float = 0.99) -> float:
    """The one-sided upper limit of a proportion (Wilson)."""
    z = NormalDist().inv_cdf(confidence)
    rate = wins / tries
    middle = rate + z * z / (2 * tries)
    spread = z * math.sqrt(rate * (1 - rate) / tries + z * z / (4 * tries * tries))
    return (middle + spread) / (1 + z * z / tries)


def chance_of_at_least(wins: int, tries: int, chance: float) -> float:
    """The probability of that many wins or more, if each try wins with `chance` (approximately)."""
    mean = tries * chance
    if mean > 100:
        return 1 - NormalDist(mean, math.sqrt(mean)).cdf(wins - 0.5)
    term, below = math.exp(-mean), 0.0
    for number in range(wins):
        below += term
        term *= mean / (number + 1)
    return max(0.0, 1 - below)
