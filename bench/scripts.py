"""Ways that a verification can go, each with what has to come of it. `SCRIPTS` has them all."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from bench.travel import (
    CODED,
    COOLDOWN_AND_MORE,
    DIALLED,
    FLASH,
    OURS,
    PATIENCE,
    READ_BACK,
    REPEATED,
    RESENT,
    SIGNED,
    STRANGERS,
    THEIRS,
    VOICE,
    Journey,
    Outcome,
    Steps,
    World,
    checks,
    expired,
    failed,
    started,
    verified,
    wish,
)
from tests.support.routes import ROUTES

# Calls with a code


def right_code(j: Journey) -> Steps:
    """Mistakes, but for the last check, then the right code."""
    at = j.chance.choice(CODED)
    j.expect(verified(started(at)))
    j.start(at)
    for _ in range(j.chance.randrange(checks(at))):
        yield j.pause()
        j.guess()
    yield j.pause()
    if j.chance.random() < 0.5:
        j.read()
    j.right()
    yield j.pause()
    assert j.read()["status"] == "verified"


def code_exhausted(j: Journey) -> Steps:
    at = j.chance.choice(CODED)
    j.expect(failed("checks_exhausted", started(at)))
    j.start(at)
    for _ in range(checks(at)):
        yield j.pause()
        j.guess()
    j.check_refused("verification_not_pending")


def not_answered(j: Journey) -> Steps:
    """Nobody does anything, and nobody asks."""
    at = j.chance.choice(ROUTES)
    j.expect(expired(started(at)))
    j.start(at)
    yield 0


def canceled(j: Journey) -> Steps:
    at = j.chance.choice(ROUTES)
    j.expect(Outcome("canceled", "canceled_by_client", None, (started(at),)))
    j.start(at)
    yield j.pause()
    j.cancel()
    if at in CODED:
        j.check_refused("verification_not_pending")


def repeated(j: Journey) -> Steps:
    """Again too soon, then in time: the vendor calls a second time, with the same code, for nothing."""
    at = j.chance.choice(REPEATED)
    j.expect(verified(started(at)))
    j.start(at)
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
    at = j.chance.choice(REPEATED)
    j.expect(verified(started(at)))
    j.fault(at, "repeat_405")
    j.start(at)
    yield j.repeat(429, "repeat_too_soon")["retry_after"] + 1
    j.repeat(409, "repeat_not_supported")
    yield j.pause()
    j.right()


def sent_twice(j: Journey) -> Steps:
    """The vendor's first answer is lost, or is an error: the same call is asked for a second time."""
    at = j.chance.choice(RESENT)
    j.expect(verified(started(at)))
    j.fault(at, j.chance.choice(["timeout", "http_500", "malformed_json"]), on="start")
    j.start(at)
    yield j.pause()
    j.right()


def unknown(j: Journey) -> Steps:
    """No answer of the vendor is ever read, and the phone rings all the same, with the code that we chose."""
    at = j.chance.choice(OURS)
    j.expect(verified((at, "unknown", 1)))
    j.fault(at, j.chance.choice(["timeout", "malformed_json"]), on="start", times=2 if at in RESENT else 1)
    j.start(at)
    yield j.pause()
    j.right()


def down(j: Journey) -> Steps:
    """The vendor answers nothing but errors; whether it rings is not known, and it does not."""
    at = j.chance.choice(OURS)
    j.expect(expired((at, "unknown", 0)))
    j.fault(at, "http_500", on="start", times=2 if at in RESENT else 1)
    j.start(at)
    yield j.pause()
    j.read()


def refused(j: Journey) -> Steps:
    """The vendor refuses the number, and says so again when it is asked again."""
    at = j.chance.choice(ROUTES)
    j.expect(failed("provider_rejected", (at, "rejected", 0)))
    j.fault(at, "number_refused")
    j.start(at, 422, "provider_rejected", key=j.name)
    yield j.pause()
    j.replay(at, j.name, 422, "provider_rejected")


# Reverse calls


def called(j: Journey) -> Steps:
    """The user calls, once or twice; the report comes once, twice or a little late."""
    at = j.chance.choice(DIALLED)
    j.expect(verified(started(at)))
    match j.chance.randrange(4):
        case 0:
            j.fault(at, "webhook_twice")
        case 1:
            j.fault(at, "webhook_late", delay=3)
    j.start(at)
    for _ in range(j.chance.randrange(3)):
        yield j.pause()
        j.read()
    j.dial()
    if j.chance.random() < 0.3:
        j.dial(again=True)
    yield j.pause()
    j.read()


def called_before_reply(j: Journey) -> Steps:
    """The vendor's report is there before its answer to the start."""
    at = j.chance.choice(DIALLED)
    # A start that a signed report overtook is recorded as one whose answer never came.
    j.expect(verified((at, "started" if at in READ_BACK else "unknown", 1)))
    j.fault(at, "webhook_before_reply")
    j.start(at)
    yield j.pause()
    if j.chance.random() < 0.5:
        j.read()


def report_lost(j: Journey) -> Steps:
    """The user calls and no report comes. Where the vendor can be asked it is, in the end, even if nobody reads."""
    at = j.chance.choice(DIALLED)
    j.expect(verified(started(at)) if at in READ_BACK else expired(started(at)))
    j.fault(at, "webhook_lost")
    j.start(at)
    yield j.pause()
    j.dial()
    for _ in range(j.chance.choice([0, 3])):
        yield 4
        j.read()


def report_too_late(j: Journey) -> Steps:
    """The vendor reports a call of the window when the window is over."""
    at = j.chance.choice(SIGNED)
    j.expect(expired(started(at)))
    j.start(at)
    yield j.pause()
    j.fault(at, "webhook_late", delay=j.left + 3)
    j.dial()
    yield max(0.0, j.left + 5)
    assert j.read()["status"] == "expired"


def called_by_somebody_else(j: Journey) -> Steps:
    at = j.chance.choice([at for at in READ_BACK if at.route.names_caller])
    j.expect(expired(started(at)))
    first = j.start(at)
    yield j.pause()
    stranger = f"{j.phone[:-4]}{int(j.phone[-4:]) + STRANGERS}"
    assert j.world.vendors.dial(stranger, first) != "none"
    yield j.pause()
    assert j.read()["status"] == "pending"


def next_vendor(j: Journey) -> Steps:
    """The first vendor fails, and the next is asked instead; or the next alone, while the first rests."""
    first, *others = DIALLED
    mode = j.chance.choice(["timeout", "http_500", "malformed_json", "no_money", "number_refused", "bad_credentials"])
    outcome = {"number_refused": "rejected", "no_money": "unavailable", "bad_credentials": "unavailable"}.get(
        mode, "unknown"
    )
    paid = int(mode in ("timeout", "malformed_json"))
    # Several that fail at once may make any of them rest.
    then = [started(other) for other in others]
    j.expect(*(verified((first, outcome, paid), each) for each in then), *(verified(each) for each in then))
    j.fault(first, mode, **({} if mode in ("no_money", "number_refused") else {"on": "start"}))
    j.start(None, method="reverse_call")
    yield j.pause()
    j.dial()
    yield j.pause()
    j.read()


def no_vendor(j: Journey) -> Steps:
    """The vendor's answer is lost, and what only it knows with it: the number to call, or the code."""
    at = j.chance.choice([*DIALLED, *THEIRS])
    mode = j.chance.choice(["timeout", "http_500", "malformed_json"])
    j.expect(failed("provider_unavailable", (at, "unknown", 0 if mode == "http_500" else 1)))
    j.fault(at, mode, on="start")
    j.start(at, 503, "provider_unavailable")
    yield 0


# Either


def any_method(j: Journey) -> Steps:
    """The service chooses, and the client does what the challenge says."""
    j.expect(*(verified(started(at)) for at in [*DIALLED, *FLASH]))
    j.start(None, allowed_methods=["reverse_call", "flash_call"])
    yield j.pause()
    j.answer()


def switched(j: Journey) -> Steps:
    """Too soon, then to a call with a code; and a call to the first number proves nothing any more."""
    at, others = j.chance.choice(READ_BACK), j.chance.choice([FLASH, VOICE])
    method = others[0].method
    j.expect(*(verified(started(at), started(other)) for other in others))
    first = j.start(at, allowed_methods=["reverse_call", method])
    assert j.switch(method, 429, "rate_limited")["limit"] == "phone_cooldown"
    yield COOLDOWN_AND_MORE
    j.switch(method)
    j.dial(first)
    yield j.pause()
    assert j.read()["status"] == "pending"
    j.right()


def switched_back(j: Journey) -> Steps:
    """From a call with a code to a reverse call, whose vendor is the service's choice; the code is worth nothing."""
    at = j.chance.choice(CODED)
    j.expect(*(verified(started(at), started(other)) for other in DIALLED))
    j.start(at, allowed_methods=[at.method, "reverse_call"])
    yield COOLDOWN_AND_MORE
    j.switch("reverse_call")
    j.check_refused("method_has_no_code")
    yield j.pause()
    j.dial()


def sent_again(j: Journey) -> Steps:
    """One start sent twice at once, and again later; another one for the phone is refused meanwhile."""
    at = j.chance.choice(ROUTES)
    j.expect(verified(started(at)))
    fields = {"reference": j.script, **wish(at)}
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
    j.replay(at, j.name)
    j.start(DIALLED[-1], 409, "verification_in_progress", key=f"{j.name} again")
    yield j.pause()
    j.answer()


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
        (sent_twice, 3),
        (unknown, 2),
        (down, 2),
        (refused, 4),
        (called, 20),
        (called_before_reply, 4),
        (report_lost, 6),
        (report_too_late, 3),
        (called_by_somebody_else, 3),
        (next_vendor, 6),
        (no_vendor, 2),
        (any_method, 6),
        (switched, 4),
        (switched_back, 3),
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
        Journey(world, name, n, phone, random.Random(f"{seed} {n}"), SCRIPTS[name].steps)
        for n, (name, phone) in enumerate(zip(names, phones, strict=True))
    ]
