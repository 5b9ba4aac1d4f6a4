"""Every vendor refuses or fails, each start in another way: the right error in time, and no call paid twice."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callverify.domain.limits import VENDOR_SECONDS
from callverify.providers.names import NAMES
from tests.support.client import Answer, Api, Vendors, new_phone
from tests.support.routes import BY_NAME, ROUTES, At

STARTS = 100
HANDS = 4
UNKNOWN, UNAVAILABLE, REJECTED = "unknown", "unavailable", "rejected"
# What becomes of an attempt, and how many vendors fail in this way for each that is silent for seconds.
MODES = {
    "timeout": (UNKNOWN, 1),
    "drip_headers": (UNKNOWN, 1),
    "drip_body": (UNKNOWN, 1),
    "refused": (UNKNOWN, 3),
    "http_500": (UNKNOWN, 3),
    "malformed_json": (UNKNOWN, 3),
    "no_money": (UNAVAILABLE, 6),
    "bad_credentials": (UNAVAILABLE, 6),
    "number_refused": (REJECTED, 6),
}


@dataclass(frozen=True)
class Start:
    """A start, and how each vendor fails it."""

    phone: str
    modes: dict[str, str]
    fields: dict[str, Any]


def starts() -> Iterator[Start]:
    chance = random.Random(8)
    weights = [weight for _, weight in MODES.values()]
    wishes: list[dict[str, Any]] = [
        {},
        {"method": "flash_call"},
        {"method": "reverse_call"},
        {"method": "voice_call"},
        {"allowed_methods": ["reverse_call", "flash_call", "voice_call"]},
    ]
    for number in range(STARTS):
        modes = dict(zip(NAMES, chance.choices([*MODES], weights, k=len(NAMES)), strict=True))
        yield Start(new_phone(number % 900 + 100), modes, wishes[number % len(wishes)])


def attempts(read: Answer) -> list[tuple[At, str]]:
    return [(BY_NAME[each["provider"], each["method"]], each["outcome"]) for each in read["attempts"]]


def judge(start: Start, answer: Answer, api: Api, vendors: Vendors) -> None:
    """What was answered is what the vendors' failures make of it."""
    read = api.read(answer.id if answer.status == 201 else answer["verification_id"]).expect(200)
    made = attempts(read)
    assert [outcome for _, outcome in made] == [MODES[start.modes[at.provider]][0] for at, _ in made]
    *_, (last, outcome) = made
    waits = outcome == UNKNOWN and last.route.code is not None and last.route.code.ours
    if waits:  # the phone may be ringing, with the code that we chose
        assert (answer.status, read["status"]) == (201, "pending")
    elif outcome == REJECTED:
        answer.expect(422, "provider_rejected")
        assert (read["status"], read["reason"]) == ("failed", "provider_rejected")
    else:
        answer.expect(503, "provider_unavailable")
        assert (read["status"], read["reason"]) == ("failed", "provider_unavailable")
    # Each route that was not asked is named, and why.
    asked = {(at.provider, str(at.method)) for at, _ in made}
    skipped = {(each["provider"], each["method"]) for each in answer.body.get("skipped", ())}
    named = [start.fields["method"]] if "method" in start.fields else start.fields.get("allowed_methods")
    wanted = {*(named or ["reverse_call", "flash_call"])}
    if not waits:
        assert asked | skipped == {name for name in BY_NAME if name[1] in wanted}
    # After a call that may have been paid for, none that costs money.
    for place, (at, outcome) in enumerate(made):
        if at.route.paid and outcome == UNKNOWN:
            assert not any(later.route.paid for later, _ in made[place + 1 :])
    requests = vendors.start_requests(start.phone)
    paid = Counter((each["provider"], each["action"]) for each in requests if each["paid"])
    assert max(paid.values(), default=0) <= 1
    assert len(vendors.calls(start.phone)) <= 1
    # In time: whatever the machine does besides, no vendor is asked later than this.
    times = [datetime.fromisoformat(each["at"]).timestamp() for each in requests]
    assert max(times) - min(times) <= VENDOR_SECONDS


def test_every_start_is_told_in_time_and_nothing_is_paid_twice(failing: Vendors, api: Api) -> None:
    wanted = [*starts()]
    for start in wanted:
        for provider, mode in start.modes.items():
            failing.fault(provider, mode, phone=start.phone, times=None)

    def begin(start: Start) -> Answer:
        return api.start(start.phone, **start.fields)

    with ThreadPoolExecutor(HANDS) as pool:
        answers = list(pool.map(begin, wanted))
    for start, answer in zip(wanted, answers, strict=True):
        judge(start, answer, api, failing)

    failing.clear_faults()
    for at in ROUTES:
        assert api.started(new_phone(), provider=at.provider, method=at.method)["status"] == "pending"
    assert api.started(new_phone())["attempts"][-1]["outcome"] == "started"
