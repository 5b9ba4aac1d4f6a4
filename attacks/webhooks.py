"""Forged, replayed and misplaced webhooks, through the function that receives them. None may verify anybody.

The attacker is taken to know more than they should: ids of verifications and calls, the path tokens of all webhooks,
signed reports of other phones and other times. What they do not have is a vendor's secret and the user's telephone.
What a vendor's reports look like is written in vendors/<name>/forgeries.py.
"""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from attacks.gateway import Gateway, address, gateway
from attacks.report import Finding
from attacks.world import CODED, DIALLED, HINTING, SIGNING, SimulatedWorld, phone_number, server, wish
from callverify.domain.questions import AFTER_REPORT
from callverify.domain.verification import Verification
from callverify.providers.base import Manifest, Per
from callverify.service.follow_up import FollowUp
from callverify.service.policy import VERIFIED_HOLD_SECONDS
from tests.support.forgeries import Forger, Pairs, forger
from tests.support.handlers import WEBHOOKS
from tests.support.simulators import CREDENTIALS

TRIES_PER_WORLD = 1000
SECONDS_BETWEEN = 0.1  # so that a world's tries end within the shortest window
SOME_CALL = "22760"  # where the vendor has no id for a call


@dataclass(frozen=True, slots=True)
class Victim:
    """A verification under attack. `leaked`: the attacker knows the token of its own webhook."""

    phone: str
    verification: Verification
    leaked: bool = True

    @property
    def call_id(self) -> str:
        return self.verification.call_id or SOME_CALL


def run(client: Any, *, tries: int, seed: int = 1) -> list[Finding]:
    chance = random.Random(seed)
    kinds: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    wanted = false = controls = 0
    while sum(kinds.values()) < tries:
        siege = _Siege(client, chance)
        left = min(TRIES_PER_WORLD, tries - sum(kinds.values()))
        false += siege.attack(left, kinds, statuses)
        verified, expected = siege.genuine_reports_still_count()
        controls, wanted = controls + verified, wanted + expected
    answers = ", ".join(f"{statuses[status]:,} × {status}" for status in sorted(statuses))
    faults = sum(number for status, number in statuses.items() if status >= 500)
    return [
        Finding(
            f"webhooks forged, replayed, reordered, early, late, doubled, of another verification, phone or vendor, in "
            f"{len(kinds)} kinds",
            sum(kinds.values()),
            false,
            f"a hint is read back; a proof needs a signature over phone and time, within the attempt, once. Answers: "
            f"{answers}. The genuine report verified afterwards in {controls} of {wanted} cases",
            false == 0 and faults == 0 and controls == wanted > 0,
        )
    ]


Kinds = dict[str, Callable[[Gateway], int]]


class _Siege:
    """One world: victims whose vendors never say that the right phone has called."""

    def __init__(self, client: Any, chance: random.Random) -> None:
        self.world = SimulatedWorld(client)
        self.chance = chance
        self.phones = iter(range(chance.randrange(10_000), 20_000))
        self.genuine: set[str] = set()
        self.signing = [_Signing(self, manifest) for manifest in SIGNING]
        # A verified call's phone is held for that long, and a canceled one's for longer.
        self.world.now += VERIFIED_HOLD_SECONDS
        self.started_at = int(self.world.now)
        self.hinting = [_Hinting(self, manifest) for manifest in HINTING]
        for signing in self.signing:
            signing.begin()
        self.sides: list[_Side] = [*self.hinting, *self.signing]
        self.kinds: Kinds = {}
        for side in self.sides:
            self.kinds |= {f"{side.manifest.title}: {name}": send for name, send in side.kinds().items()}

    def new_phone(self) -> str:
        return phone_number(next(self.phones))

    def victim(self, phone: str, fields: Mapping[str, str], *, leaked: bool = True) -> Victim:
        return Victim(phone, self.world.start(server(), phone, **fields), leaked)

    def attack(self, tries: int, kinds: Counter[str], statuses: Counter[int]) -> int:
        """The number of verifications that became verified, and should not have."""
        names = list(self.kinds)
        # Most tries need no look into the table, so that the others do not take all the time.
        weights = [1 if "genuine" in name or "right token" in name or "read" in name else 4 for name in names]
        with gateway(self.world) as way_in:
            for _ in range(tries):
                self.world.now += SECONDS_BETWEEN
                (kind,) = self.chance.choices(names, weights)
                kinds[kind] += 1
                statuses[self.kinds[kind](way_in)] += 1
        verified = self.world.verified()
        counted = sum(metric == "Verified" for metric, _ in self.world.observer.counts)
        assert counted >= len(self.genuine)
        return len(verified - self.genuine)

    def genuine_reports_still_count(self) -> tuple[int, int]:
        """How many victims verify when their users do call, and of how many: else nothing would have been attacked."""
        # Until then a report of the same call starts nothing: the follow-ups of the one before ask about it.
        self.world.now += AFTER_REPORT[-1] + 1
        with gateway(self.world) as way_in:
            wanted = {id_ for side in self.sides for id_ in side.call(way_in)}
        return len(self.world.verified() & wanted), len(wanted)

    def mangled(self, report: Pairs) -> Pairs:
        """The parameters, perhaps with one missing, given twice, or under a name that some frameworks take for it."""
        pairs, chance = list(report), self.chance
        name, value = chance.choice(pairs)
        match chance.randrange(8):
            case 0:
                pairs.remove((name, value))
            case 1:
                pairs.append((name, value))
            case 2:
                pairs.append((name, ""))
            case 3:
                pairs = [(f"{n}[]" if n == name else n, v) for n, v in pairs]
            case 4:
                pairs = [(f"{n}[0]" if n == name else n.upper(), v) for n, v in pairs]
            case _:
                pass
        return pairs

    def send(self, way_in: Gateway, parameters: dict[str, str], report: Pairs) -> int:
        """Send a report in one of all the places and encodings in which it could arrive."""
        chance = self.chance
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        query: Pairs = []
        body: str | None = None
        encoded = False
        match chance.randrange(7):
            case 0:
                query = report
            case 1:
                body = urlencode(report)
            case 2:
                half = chance.randrange(len(report) + 1)
                query, body = report[:half], urlencode(report[half:])
            case 3:
                query, body = report, urlencode(report)
            case 4:
                body, form = json.dumps(dict(report)), {"Content-Type": "application/json"}
            case 5:
                body, encoded = base64.b64encode(urlencode(report).encode()).decode(), True
            case _:
                listed = {name: [value, value] for name, value in report}
                body, form = json.dumps(listed), {"content-type": "application/json; charset=utf-8"}
        method = "POST" if body is not None or chance.random() < 0.5 else "GET"
        return way_in.send(
            method, WEBHOOKS, parameters=parameters, query=query, body=body, base64=encoded, headers=form
        ).status


class _Side:
    """One vendor under attack. waiting: a victim whose call is awaited."""

    waiting: Victim

    def __init__(self, siege: _Siege, manifest: Manifest) -> None:
        self.siege = siege
        self.manifest = manifest
        self.world, self.chance = siege.world, siege.chance
        self.forger: Forger = forger(manifest.name, CREDENTIALS[manifest.name])
        self.victims: list[Victim] = []
        self.wish = next(wish(declared, route) for declared, route in DIALLED if declared is manifest)

    def kinds(self) -> Kinds:
        """By name, the ways to send one report: each returns the status of the answer."""
        raise NotImplementedError

    def call(self, way_in: Gateway) -> set[str]:
        """The users of some victims do call: the ids of those that must be verified then."""
        raise NotImplementedError

    def token(self, victim: Victim) -> str:
        """The token of the vendor's webhook, as far as the attacker knows it."""
        if self.manifest.webhook and self.manifest.webhook.per is Per.ACCOUNT:
            return self.world.token(self.manifest)
        return self.world.keys.webhook_token(victim.verification.id if victim.leaked else "vrf_of_the_attacker")

    def random(self, way_in: Gateway) -> int:
        chance = self.chance
        victim = chance.choice([victim for side in self.siege.sides for victim in side.victims])
        token = self.token(victim)
        others = [side.token(victim) for side in self.siege.sides if side is not self]
        token = chance.choice([token, token, *others, "-", "x" * 43, "токен", token[:-1]])
        tried = self.forger.values(chance, victim.phone, victim.call_id, int(self.world.now))
        report = [(name, chance.choice(values)) for name, values in tried.items()]
        return self.send(way_in, victim, self.siege.mangled(report), token=token)

    def send(self, way_in: Gateway, victim: Victim, report: Pairs, *, token: str | None = None) -> int:
        token = self.token(victim) if token is None else token
        return self.siege.send(way_in, address(self.manifest, victim.verification.id, token), report)

    def genuine(self, way_in: Gateway, victim: Victim) -> str:
        """The vendor's own report: the id of the verification that it is about."""
        token = self.token(victim) if victim.leaked else self.world.keys.webhook_token(victim.verification.id)
        report = self.forger.report(victim.phone, victim.call_id, int(self.world.now))
        parameters = address(self.manifest, victim.verification.id, token)
        way_in.send("POST", WEBHOOKS, parameters=parameters, body=urlencode(report))
        return victim.verification.id

    def _tampered(self, name: str, way_in: Gateway) -> int:
        report = self.forger.tampered[name](self.chance, self.waiting.phone, int(self.world.now))
        return self.send(way_in, self.waiting, report)


class _Hinting(_Side):
    """A vendor whose reports prove nothing: it is asked, and says what the attack wants."""

    def __init__(self, siege: _Siege, manifest: Manifest) -> None:
        super().__init__(siege, manifest)
        self.waiting = siege.victim(siege.new_phone(), self.wish)
        self.lied_to = {name: self._lied_to(name) for name in self.forger.lies}
        self.victims = [self.waiting, *self.lied_to.values()]
        # Phones whose calls are awaited no longer where they are signed, and one that waits for no report at all.
        canceled = [signing.canceled_phones[HINTING.index(manifest)] for signing in siege.signing]
        self.victims += [siege.victim(phone, self.wish) for phone in canceled]
        self.victims += [siege.victim(siege.new_phone(), wish(*coded)) for coded in CODED[:1]]

    def _lied_to(self, name: str) -> Victim:
        leaked = name != self.forger.believed_after_report
        victim = self.siege.victim(self.siege.new_phone(), self.wish, leaked=leaked)
        self.world.checks[self.manifest.name][victim.call_id] = self.forger.lies[name](victim.phone, victim.call_id)
        return victim

    def kinds(self) -> Kinds:
        return {
            "random": self.random,
            "the right token and call, the claimed phone": self._perfect,
            "another verification's token": self._of_another,
            "a follow-up in between": self._ask,
            **{name: partial(self._tampered, name) for name in self.forger.tampered},
        }

    def call(self, way_in: Gateway) -> set[str]:
        waiting = self.waiting
        called = self.forger.called(waiting.phone, waiting.call_id)
        self.world.checks[self.manifest.name][waiting.call_id] = called
        believed = self.lied_to.get(self.forger.believed_after_report or "")
        return {self.genuine(way_in, victim) for victim in (waiting, believed) if victim}

    def _perfect(self, way_in: Gateway) -> int:
        victim = self.chance.choice(self.victims)
        return self.send(way_in, victim, self._report(victim, victim))

    def _of_another(self, way_in: Gateway) -> int:
        victim, other = self.chance.sample(self.victims, 2)
        if self.chance.random() < 0.5:  # the other's webhook, told of this victim's phone and call
            return self.send(way_in, other, self._report(victim, victim))
        return self.send(way_in, victim, self._report(victim, other), token=self.token(other))

    def _ask(self, way_in: Gateway) -> int:  # noqa: ARG002
        """Follow-ups make the service ask the vendor too."""
        self.world.service.follow_up(FollowUp(self.chance.choice(self.victims).verification.id, 1, (1,)))
        return 200

    def _report(self, victim: Victim, call: Victim) -> Pairs:
        return self.forger.report(victim.phone, call.call_id, int(self.world.now))


class _Signing(_Side):
    """A vendor whose signed reports are proof. Its victims begin later than what is replayed against them."""

    def __init__(self, siege: _Siege, manifest: Manifest) -> None:
        super().__init__(siege, manifest)
        world = self.world
        # One that was verified as it should be: its report is what will be replayed.
        self.replayed_phone = siege.new_phone()
        earlier = siege.victim(self.replayed_phone, self.wish)
        self.used = self.forger.report(self.replayed_phone, earlier.call_id, int(world.now) + 1)
        world.now += 2
        with gateway(world) as way_in:
            parameters = address(manifest, earlier.verification.id, self.token(earlier))
            answer = way_in.send("POST", WEBHOOKS, parameters=parameters, body=urlencode(self.used))
            assert answer.status == 200, answer
        siege.genuine.add(earlier.verification.id)
        # And some that were canceled, whose phones will wait at other vendors, one at each.
        self.canceled_phones = [siege.new_phone() for _ in HINTING] or [siege.new_phone()]
        for phone in self.canceled_phones:
            world.service.cancel(server(), siege.victim(phone, self.wish).verification.id, None)
        self.canceled_phone = self.canceled_phones[0]

    def begin(self) -> None:
        self.waiting = self.siege.victim(self.siege.new_phone(), self.wish)
        self.victims = [self.waiting, self.siege.victim(self.replayed_phone, self.wish)]

    def kinds(self) -> Kinds:
        started_at = self.siege.started_at
        return {
            "random": self.random,
            "no secret, an empty or a guessed one": self._unsigned,
            "genuine, but before the start": lambda way_in: self._of(way_in, started_at - self._long()),
            "genuine, but after the window": lambda way_in: self._of(
                way_in, self.waiting.verification.expires_at + self._long()
            ),
            "genuine, of a phone that waits for nothing": self._of_another_phone,
            "genuine, of an earlier and used call": lambda way_in: self._send(way_in, self.used),
            "genuine, for a verification that was canceled": self._canceled,
            "genuine, but each parameter twice": self._twice,
            **{name: partial(self._tampered, name) for name in self.forger.tampered},
        }

    def call(self, way_in: Gateway) -> set[str]:
        return {self.genuine(way_in, self.waiting)}

    def _long(self) -> int:
        return self.chance.randint(1, 10**6)

    def _report(self, phone: str, at: int | None = None) -> Pairs:
        return self.forger.report(phone, self.waiting.call_id, int(self.world.now) if at is None else at)

    def _send(self, way_in: Gateway, report: Pairs) -> int:
        return self.send(way_in, self.waiting, report)

    def _unsigned(self, way_in: Gateway) -> int:
        phone, known = self.chance.choice(self.victims).phone, [side.token(self.waiting) for side in self.siege.sides]
        return self._send(way_in, self.chance.choice(self.forger.unsigned(phone, int(self.world.now), known)))

    def _of(self, way_in: Gateway, at: int) -> int:
        return self._send(way_in, self._report(self.waiting.phone, at))

    def _of_another_phone(self, way_in: Gateway) -> int:
        return self._send(way_in, self._report(f"+79000009{self.chance.randrange(1_000):03}"))

    def _canceled(self, way_in: Gateway) -> int:
        return self._send(way_in, self._report(self.canceled_phone))

    def _twice(self, way_in: Gateway) -> int:
        """A genuine signature of another phone, with the victim's beside it, in the query or in the body."""
        report = self._report(self.canceled_phone)
        name = self.chance.choice([name for name, _ in report])
        report.append((name, dict(self._report(self.waiting.phone))[name]))
        self.chance.shuffle(report)
        return self._send(way_in, report)
