"""Ways that a verification can go, each with what has to come of it. `SCRIPTS` has them all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from tests.support.client import Answer, Api, Vendors

PATIENCE = 90  # seconds: the embedded AWS may let a request wait long before it is answered
COOLDOWN_AND_MORE = 22
# Vendors' answers that come before a look at the request: its record names no phone.
UNNAMED = ("http_500", "no_money", "number_refused", "bad_credentials")
STRANGERS = 5_000  # the upper half of each block of 10,000 numbers


@dataclass(frozen=True)
class Outcome:
    """How a journey may end.

    attempts: (provider, outcome, calls and numbers that the vendor bills) of each.
    """

    status: str
    reason: str | None
    evidence: str | None
    attempts: tuple[tuple[str, str, int], ...]


Steps = Iterator[float]
"""A journey, step by step: after each it says how many seconds later the next is due."""

UCALLER, TELEFON_IP, SMSC = (("ucaller", "started", 1), ("telefon_ip", "started", 1), ("smsc", "started", 1))
EVIDENCE = {"ucaller": "code_matched", "telefon_ip": "provider_read_back", "smsc": "provider_signature"}
REVERSE = ("telefon_ip", "smsc")


def verified(*attempts: tuple[str, str, int]) -> Outcome:
    return Outcome("verified", None, EVIDENCE[attempts[-1][0]], attempts)


def expired(*attempts: tuple[str, str, int]) -> Outcome:
    return Outcome("expired", "window_elapsed", None, attempts)


def failed(reason: str, *attempts: tuple[str, str, int]) -> Outcome:
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


class Journey:
    """One person's verification, by a script that `chance` steers.

    outcomes: what may come of it, one of them. unnamed: how many requests to vendors may be on record without its
    phone. wrong: what was answered otherwise than the script has it; such a journey goes no further.
    """

    def __init__(self, world: World, script: str, number: int, phone: str, chance: random.Random) -> None:
        self.world, self.script, self.phone, self.chance = world, script, phone, chance
        self.name = f"{script} {number}"
        self.id: str | None = None
        self.outcomes: tuple[Outcome, ...] = ()
        self.unnamed = 0
        self.wrong: list[str] = []
        self.ends_at = 0.0
        self._started: Answer
        self._token = ""
        self.steps: Steps = SCRIPTS[script].steps(self)

    def pause(self) -> float:
        """What a person takes to look, or to type."""
        return self.chance.uniform(0, 2)

    def expect(self, *outcomes: Outcome) -> None:
        self.outcomes = outcomes

    def fault(self, provider: str, mode: str, **more: Any) -> None:
        """The vendor's next answer about this phone goes wrong."""
        self.world.vendors.fault(provider, mode, phone=self.phone, **more)
        self.unnamed += more.get("times", 1) if mode in UNNAMED else 0

    # Requests

    def start(self, status: int = 201, code: str | None = None, *, key: str | None = None, **fields: Any) -> Answer:
        kind = "start" if status == 201 else "start, refused"
        if self.unnamed or status == 503 or code == "provider_rejected":
            kind = "start, vendor failing"
        fields = {"reference": self.script, **fields}
        with self.world.measured.request(kind):
            answer = self.world.api.start(self.phone, idempotency_key=key, patience=PATIENCE, **fields)
        answer.expect(status, code)
        if self.id is None:
            self.id = answer["id"] if status == 201 else answer["verification_id"]
            self._note(answer)
        return answer

    def replay(self, key: str, status: int = 200, code: str | None = None, **fields: Any) -> None:
        """The same start again, as after a reply that got lost: the first answer again."""
        fields = {"reference": self.script, **fields}
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
        self.check(self.world.vendors.code(self.phone), valid=True)

    def guess(self) -> None:
        self.check(self.world.vendors.wrong_code(self.phone), valid=False)

    def check_refused(self, code: str) -> None:
        with self.world.measured.request("check, refused"):
            self.world.api.check(self.known, "1234", patience=PATIENCE).expect(409, code)

    def cancel(self) -> None:
        with self.world.measured.request("cancel"):
            self.world.api.cancel(self.known, patience=PATIENCE).expect(200)

    def repeat(self, status: int = 200, code: str | None = None, **fields: Any) -> Answer:
        with self.world.measured.request("repeat" if status == 200 else "repeat, refused"):
            answer = self.world.api.send(
                "POST", f"/verifications/{self.known}/repeat", fields, key=self._credential(), patience=PATIENCE
            )
        answer.expect(status, code)
        return self._note(answer) if status == 200 else answer

    def dial(self, number_of: Answer | None = None) -> None:
        assert self.world.vendors.dial(self.phone, number_of or self._started) != "none"

    # What it knows

    @property
    def known(self) -> str:
        assert self.id is not None
        return self.id

    @property
    def provider(self) -> str:
        return str(self._started["provider"])

    @property
    def left(self) -> float:
        """Seconds until its window ends."""
        return self.ends_at - time.time()

    def _credential(self) -> str:
        """The server's key, or the browser's token."""
        return str(self.chance.choice([self.world.api.key, self._token]))

    def _note(self, answer: Answer) -> Answer:
        if answer.status < 300:
            self._started = answer
            self._token = answer.body.get("client_token") or self._token
            self.ends_at = datetime.fromisoformat(answer["expires_at"]).timestamp()
        return answer


# Flash calls


def right_code(j: Journey) -> Steps:
    """Up to four mistakes, then the right code."""
    j.expect(verified(UCALLER))
    j.start(provider="ucaller")
    for _ in range(j.chance.randrange(5)):
        yield j.pause()
        j.guess()
    yield j.pause()
    if j.chance.random() < 0.5:
        j.read()
    j.right()
    yield j.pause()
    assert j.read()["status"] == "verified"


def code_exhausted(j: Journey) -> Steps:
    j.expect(failed("attempts_exhausted", UCALLER))
    j.start(method="flash_call")
    for _ in range(5):
        yield j.pause()
        j.guess()
    j.check_refused("verification_not_pending")


def not_answered(j: Journey) -> Steps:
    """Nobody does anything, and nobody asks."""
    provider = j.chance.choice([UCALLER, TELEFON_IP, SMSC])
    j.expect(expired(provider))
    j.start(provider=provider[0])
    yield 0


def canceled(j: Journey) -> Steps:
    provider = j.chance.choice([UCALLER, TELEFON_IP, SMSC])
    j.expect(Outcome("canceled", "canceled_by_client", None, (provider,)))
    j.start(provider=provider[0])
    yield j.pause()
    j.cancel()
    if provider is UCALLER:
        j.check_refused("verification_not_pending")


def repeated(j: Journey) -> Steps:
    """Again too soon, then in time: the vendor calls a second time, with the same code, for nothing."""
    j.expect(verified(UCALLER))
    j.start(provider="ucaller")
    yield j.pause()
    too_soon = j.repeat(429, "repeat_too_soon")
    yield too_soon["retry_after"] + 1
    j.repeat()
    codes = j.world.vendors.codes(j.phone)
    assert len(codes) == 2, len(codes)
    assert len({*codes}) == 1
    yield j.pause()
    j.right()


def repeat_not_supported(j: Journey) -> Steps:
    j.expect(verified(UCALLER))
    j.fault("ucaller", "repeat_405")
    j.start(provider="ucaller")
    yield j.repeat(429, "repeat_too_soon")["retry_after"] + 1
    j.repeat(409, "repeat_not_supported")
    yield j.pause()
    j.right()


def flash_sent_twice(j: Journey) -> Steps:
    """uCaller's first answer is lost, or is an error: the same call is asked for a second time."""
    j.expect(verified(UCALLER))
    j.fault("ucaller", j.chance.choice(["timeout", "http_500", "malformed_json"]), on="start")
    j.start(provider="ucaller")
    yield j.pause()
    j.right()


def flash_unknown(j: Journey) -> Steps:
    """No answer of uCaller is ever read, and the phone rings all the same."""
    j.expect(verified(("ucaller", "unknown", 1)))
    j.fault("ucaller", j.chance.choice(["timeout", "malformed_json"]), on="start", times=2)
    j.start(provider="ucaller")
    yield j.pause()
    j.right()


def flash_down(j: Journey) -> Steps:
    """uCaller answers nothing but errors; whether it rings is not known, and it does not."""
    j.expect(expired(("ucaller", "unknown", 0)))
    j.fault("ucaller", "http_500", on="start", times=2)
    j.start(provider="ucaller")
    yield j.pause()
    j.read()


def refused(j: Journey) -> Steps:
    """The vendor refuses the number, and says so again to whoever asks again."""
    provider = j.chance.choice(["ucaller", "telefon_ip", "smsc"])
    j.expect(failed("provider_rejected", (provider, "rejected", 0)))
    j.fault(provider, "number_refused")
    j.start(422, "provider_rejected", provider=provider, key=j.name)
    yield j.pause()
    j.replay(j.name, 422, "provider_rejected", provider=provider)


# Reverse calls


def called(j: Journey) -> Steps:
    """The user calls, once or twice; the report comes once, twice or a little late."""
    provider = j.chance.choice(REVERSE)
    j.expect(verified((provider, "started", 1)))
    match j.chance.randrange(4):
        case 0:
            j.fault(provider, "webhook_twice")
        case 1:
            j.fault(provider, "webhook_late", delay=3)
    j.start(provider=provider)
    for _ in range(j.chance.randrange(3)):
        yield j.pause()
        j.read()
    j.dial()
    if j.chance.random() < 0.3:
        j.dial()
    yield j.pause()
    j.read()


def called_before_reply(j: Journey) -> Steps:
    """The vendor's report is there before its answer to the start."""
    provider = j.chance.choice(REVERSE)
    # A start that a signed report overtook is recorded as one whose answer never came.
    j.expect(verified((provider, "started" if provider == "telefon_ip" else "unknown", 1)))
    j.fault(provider, "webhook_before_reply")
    j.start(provider=provider)
    yield j.pause()
    if j.chance.random() < 0.5:
        j.read()


def report_lost(j: Journey) -> Steps:
    """The user calls and no report comes. telefon-ip is asked in the end, even if nobody reads; SMSC cannot be."""
    provider = j.chance.choice(REVERSE)
    j.expect(verified(TELEFON_IP) if provider == "telefon_ip" else expired(SMSC))
    j.fault(provider, "webhook_lost")
    j.start(provider=provider)
    yield j.pause()
    j.dial()
    for _ in range(j.chance.choice([0, 3])):
        yield 4
        j.read()


def report_too_late(j: Journey) -> Steps:
    """SMSC reports a call of the window when the window is over."""
    j.expect(expired(SMSC))
    j.start(provider="smsc")
    yield j.pause()
    j.fault("smsc", "webhook_late", delay=j.left + 3)
    j.dial()
    yield max(0.0, j.left + 5)
    assert j.read()["status"] == "expired"


def called_by_somebody_else(j: Journey) -> Steps:
    j.expect(expired(TELEFON_IP))
    started = j.start(provider="telefon_ip")
    yield j.pause()
    stranger = f"{j.phone[:-4]}{int(j.phone[-4:]) + STRANGERS}"
    assert j.world.vendors.dial(stranger, started) != "none"
    yield j.pause()
    assert j.read()["status"] == "pending"


def next_vendor(j: Journey) -> Steps:
    """telefon-ip fails, and SMSC is asked instead; or SMSC alone, while telefon-ip rests."""
    mode = j.chance.choice(["timeout", "http_500", "malformed_json", "no_money", "number_refused", "bad_credentials"])
    outcome = {"number_refused": "rejected", "no_money": "unavailable", "bad_credentials": "unavailable"}.get(
        mode, "unknown"
    )
    paid = int(mode in ("timeout", "malformed_json"))
    j.expect(verified(("telefon_ip", outcome, paid), SMSC), verified(SMSC))
    j.fault("telefon_ip", mode, **({} if mode in ("no_money", "number_refused") else {"on": "start"}))
    j.start(method="reverse_call")
    yield j.pause()
    j.dial()
    yield j.pause()
    j.read()


def no_vendor(j: Journey) -> Steps:
    provider = j.chance.choice(REVERSE)
    mode = j.chance.choice(["timeout", "http_500", "malformed_json"])
    j.expect(failed("provider_unavailable", (provider, "unknown", 0 if mode == "http_500" else 1)))
    j.fault(provider, mode, on="start")
    j.start(503, "provider_unavailable", provider=provider)
    yield 0


# Either


def any_way(j: Journey) -> Steps:
    """The service chooses, and the client does what the challenge says."""
    j.expect(verified(TELEFON_IP), verified(SMSC), verified(UCALLER))
    j.start(allowed_methods=["reverse_call", "flash_call"])
    yield j.pause()
    if j.provider == "ucaller":
        j.right()
    else:
        j.dial()


def another_way(j: Journey) -> Steps:
    """Too soon, then the other way round; and a call to the first number proves nothing any more."""
    j.expect(verified(TELEFON_IP, UCALLER))
    first = j.start(provider="telefon_ip")
    again = partial(j.repeat, phone=j.phone, method="flash_call")
    assert again(429, "rate_limited")["limit"] == "phone_cooldown"
    yield COOLDOWN_AND_MORE
    again()
    j.dial(first)
    yield j.pause()
    assert j.read()["status"] == "pending"
    j.right()


def another_way_round(j: Journey) -> Steps:
    """From a flash call to a reverse call, whose vendor is the service's choice; its old code is worth nothing."""
    j.expect(verified(UCALLER, TELEFON_IP), verified(UCALLER, SMSC))
    j.start(provider="ucaller")
    yield COOLDOWN_AND_MORE
    j.repeat(phone=j.phone, method="reverse_call")
    j.check_refused("method_has_no_code")
    yield j.pause()
    j.dial()


def sent_again(j: Journey) -> Steps:
    """One start sent twice at once, and again later; another one for the phone is refused meanwhile."""
    provider = j.chance.choice([UCALLER, TELEFON_IP, SMSC])
    j.expect(verified(provider))
    fields = {"provider": provider[0], "reference": j.script}
    send = partial(j.world.api.start, j.phone, idempotency_key=j.name, patience=PATIENCE, **fields)
    with j.world.measured.request("start, two at once"), ThreadPoolExecutor(2) as both:
        answers = [sent.result() for sent in [both.submit(send), both.submit(send)]]
    (first,) = [answer for answer in answers if answer.status == 201]
    j.id = first.id
    j._note(first)
    for other in answers:
        if other.status != 201:
            assert (other.status, other.body.get("code", other.body.get("id"))) in (
                (409, "idempotency_in_progress"),
                (200, j.id),
            ), (other.status, other.body)
    yield j.pause()
    j.replay(j.name, provider=provider[0])
    j.start(409, "verification_in_progress", provider="smsc", key=f"{j.name} again")
    yield j.pause()
    if j.provider == "ucaller":
        j.right()
    else:
        j.dial()


@dataclass(frozen=True)
class Script:
    steps: Callable[[Journey], Steps]
    weight: int


SCRIPTS: Mapping[str, Script] = {
    steps.__name__: Script(steps, weight)
    for steps, weight in (
        (right_code, 14),
        (code_exhausted, 5),
        (not_answered, 8),
        (canceled, 6),
        (repeated, 3),
        (repeat_not_supported, 2),
        (flash_sent_twice, 3),
        (flash_unknown, 2),
        (flash_down, 2),
        (refused, 4),
        (called, 20),
        (called_before_reply, 4),
        (report_lost, 6),
        (report_too_late, 3),
        (called_by_somebody_else, 3),
        (next_vendor, 6),
        (no_vendor, 2),
        (any_way, 6),
        (another_way, 4),
        (another_way_round, 3),
        (sent_again, 6),
    )
}


def plan(world: World, count: int, seed: int, salt: int) -> list[Journey]:
    """So many journeys. The seed decides what happens in which, the salt to whose phones: limits remember those."""
    chance = random.Random(seed)
    names = chance.choices(list(SCRIPTS), [script.weight for script in SCRIPTS.values()], k=count)
    # Spread over blocks of 10,000 numbers, each of which has a limit.
    phones = [f"+7900{100 + n % 900}{(salt + n // 900) % STRANGERS:04}" for n in range(count)]
    return [
        Journey(world, name, n, phone, random.Random(f"{seed} {n}"))
        for n, (name, phone) in enumerate(zip(names, phones, strict=True))
    ]
