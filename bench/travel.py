"""One person's verification through the HTTP API, and what has to come of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from callverify.domain.words import Method
from callverify.service.policy import Policy
from tests.support.client import Answer, Api, Vendors
from tests.support.routes import BY_NAME, ROUTES, At

PATIENCE = 90  # seconds: the embedded AWS may let a request wait long before it is answered
COOLDOWN_AND_MORE = 22
STRANGERS = 5_000  # the upper half of each block of 10,000 numbers

Attempt = tuple[At, str, int]
"""A route, what became of its attempt, and the calls and numbers that its vendor bills."""


@dataclass(frozen=True)
class Outcome:
    """How a journey may end, and by which attempts."""

    status: str
    reason: str | None
    evidence: str | None
    attempts: tuple[Attempt, ...]

    def __str__(self) -> str:
        attempts = ", ".join(f"{at} {outcome} ({calls} billed)" for at, outcome, calls in self.attempts)
        return f"{self.status} ({self.reason or self.evidence}) by {attempts}"


Steps = Iterator[float]
"""A journey, step by step: after each it says how many seconds later the next is due."""

CODED = [at for at in ROUTES if at.route.code]
OURS = [at for at in CODED if at.route.code and at.route.code.ours]
THEIRS = [at for at in CODED if at not in OURS]
REPEATED = [at for at in ROUTES if at.route.repeats]
RESENT = [at for at in OURS if at.route.resends_safely]
DIALLED = [at for at in ROUTES if not at.route.code]
READ_BACK = [at for at in DIALLED if at.route.read_back]
SIGNED = [at for at in DIALLED if at not in READ_BACK]
# Where a vendor that is told of no method but this goes on to another.
FLASH = [at for at in CODED if at.method is Method.FLASH_CALL]
VOICE = [at for at in CODED if at.method is Method.VOICE_CALL]


def checks(at: At) -> int:
    """How many wrong codes end a verification."""
    own, most = at.route.code.checks if at.route.code else None, Policy().verification_guesses
    return min(own or most, most)


def started(at: At) -> Attempt:
    return (at, "started", 1)


def verified(*attempts: Attempt) -> Outcome:
    return Outcome("verified", None, attempts[-1][0].evidence, attempts)


def expired(*attempts: Attempt) -> Outcome:
    return Outcome("expired", "window_elapsed", None, attempts)


def failed(reason: str, *attempts: Attempt) -> Outcome:
    return Outcome("failed", reason, None, attempts)


@dataclass
class Measured:
    """How long requests took, in seconds, by their kind."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def request(self, kind: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds.setdefault(kind, []).append(time.monotonic() - began)


@dataclass(frozen=True)
class World:
    """What all journeys share."""

    api: Api
    vendors: Vendors
    measured: Measured


def wish(at: At | None) -> dict[str, str]:
    """The fields of a start that asks for this route alone."""
    return {"provider": at.provider, "method": at.method} if at else {}


class Journey:
    """One person's verification, by a script that `chance` steers.

    outcomes: what may come of it, one of them. wrong: what was answered otherwise than the script has it; such a
    journey goes no further.
    """

    def __init__(
        self,
        world: World,
        script: str,
        number: int,
        phone: str,
        chance: random.Random,
        steps: Callable[[Journey], Steps],
    ) -> None:
        self.world, self.script, self.phone, self.chance = world, script, phone, chance
        self.name = f"{script} {number}"
        self.id: str | None = None
        self.outcomes: tuple[Outcome, ...] = ()
        self.wrong: list[str] = []
        self.ends_at = 0.0
        self._vendor_fails = False
        self._code = ""
        self._attempts = 0
        self._started: Answer
        self._token = ""
        self.steps: Steps = steps(self)

    def pause(self) -> float:
        """What a person takes to look, or to type."""
        return self.chance.uniform(0, 2)

    def expect(self, *outcomes: Outcome) -> None:
        self.outcomes = outcomes

    def fault(self, at: At, mode: str, **more: Any) -> None:
        """The vendor's next answer about this phone goes wrong."""
        self.world.vendors.fault(at.provider, mode, phone=self.phone, **more)
        self._vendor_fails |= not mode.startswith(("webhook", "repeat"))

    # Requests

    def start(
        self,
        at: At | None,
        status: int = 201,
        code: str | None = None,
        *,
        key: str | None = None,
        **fields: Any,
    ) -> Answer:
        """By this route, or (None) by what the fields leave."""
        kind = "start" if status == 201 else "start, refused"
        if self._vendor_fails:
            kind = "start, vendor failing"
        fields = {"reference": self.script, **wish(at), **fields}
        with self.world.measured.request(kind):
            answer = self.world.api.start(self.phone, idempotency_key=key, patience=PATIENCE, **fields)
        answer.expect(status, code)
        if self.id is None:
            self.id = answer["id"] if status == 201 else answer["verification_id"]
            self._note(answer)
        return answer

    def replay(self, at: At, key: str, status: int = 200, code: str | None = None) -> None:
        """The same start again, as after a reply that got lost: the first answer again."""
        fields = {"reference": self.script, **wish(at)}
        with self.world.measured.request("start, replayed"):
            answer = self.world.api.start(self.phone, idempotency_key=key, patience=PATIENCE, **fields)
        answer.expect(status, code)
        assert answer.replayed, answer.body
        assert answer["id" if status == 200 else "verification_id"] == self.id, answer.body

    def read(self) -> Answer:
        with self.world.measured.request("read"):
            answer = self.world.api.read(self.known, key=self._credential(), patience=PATIENCE).expect(200)
        return self._note(answer)

    def check(self, code: str, *, valid: bool) -> None:
        with self.world.measured.request("check"):
            answer = self.world.api.check(self.known, code, key=self._credential(), patience=PATIENCE).expect(200)
        assert answer["valid"] is valid, answer.body

    def right(self) -> None:
        self.check(self._told_code(), valid=True)

    def guess(self) -> None:
        code = self._told_code()
        self.check(f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}", valid=False)

    def _told_code(self) -> str:
        """Of the present attempt, after a key where its call asks for one."""
        if not self._code:
            route = self.at.route
            asks = bool(route.webhook and route.webhook.say)
            self._code = self.world.vendors.told_code(self.phone, route.code.digits if route.code else 0, asks=asks)
        return self._code

    def check_refused(self, code: str) -> None:
        with self.world.measured.request("check, refused"):
            digits = self._started["challenge"].get("length", 4)
            self.world.api.check(self.known, "1" * digits, patience=PATIENCE).expect(409, code)

    def cancel(self) -> None:
        with self.world.measured.request("cancel"):
            self.world.api.cancel(self.known, patience=PATIENCE).expect(200)

    def repeat(self, status: int = 200, code: str | None = None) -> Answer:
        return self._step("repeat", {}, status, code)

    def switch(self, method: str, status: int = 200, code: str | None = None) -> Answer:
        return self._step("switch", {"phone": self.phone, "method": method}, status, code)

    def _step(self, kind: str, fields: Mapping[str, str], status: int, code: str | None) -> Answer:
        with self.world.measured.request(kind if status == 200 else f"{kind}, refused"):
            answer = self.world.api.send(
                "POST", f"/verifications/{self.known}/{kind}", fields, key=self._credential(), patience=PATIENCE
            )
        answer.expect(status, code)
        return self._note(answer) if status == 200 else answer

    def answer(self) -> None:
        """Do what the challenge says."""
        if self._started["challenge"]["type"] == "enter_digits":
            self.right()
        else:
            self.dial()

    def dial(self, number_of: Answer | None = None, *, again: bool = False) -> None:
        """Not every vendor reports a call that comes `again`."""
        assert self.world.vendors.dial(self.phone, number_of or self._started) != "none" or again

    # What it knows

    @property
    def known(self) -> str:
        assert self.id is not None
        return self.id

    @property
    def at(self) -> At:
        """The route of the present attempt."""
        return BY_NAME[self._started["provider"], self._started["method"]]

    @property
    def left(self) -> float:
        """Seconds until its window ends."""
        return self.ends_at - time.time()

    def _credential(self) -> str:
        """The server's key, or the browser's token."""
        return str(self.chance.choice([self.world.api.key, self._token]))

    def _note(self, answer: Answer) -> Answer:
        if answer.status < 300:
            if len(answer["attempts"]) != self._attempts:
                self._code = ""
            self._attempts = len(answer["attempts"])
            self._started = answer
            self._token = answer.body.get("client_token") or self._token
            self.ends_at = datetime.fromisoformat(answer["expires_at"]).timestamp()
        return answer
