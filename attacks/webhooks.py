"""Forged, replayed and misplaced webhooks, through the function that receives them. None may verify anybody.

The attacker is taken to know more than he should: ids of verifications and calls, the path tokens of all webhooks,
signed callbacks of other phones and other times. What he does not have is SMSC's secret and the user's telephone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from attacks.report import Finding
from attacks.world import SMSC_SECRET, SMSC_TOKEN, Gateway, World, gateway, phone_number, server
from callverify.models import Verification
from callverify.store import VERIFIED_HOLD_SECONDS

TRIES_PER_WORLD = 1000
SECONDS_BETWEEN = 0.1  # so that a world's tries end within the shortest window
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Victim:
    """A verification under attack. `call_id`: telefon-ip's. `leaked`: the attacker knows its webhook's token."""

    name: str
    phone: str
    verification: Verification
    leaked: bool = True

    @property
    def call_id(self) -> str:
        return self.verification.call_id or "22760"


def run(client: Any, *, tries: int, seed: int = 1) -> list[Finding]:
    chance = random.Random(seed)
    kinds: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    worlds = false = controls = 0
    while sum(kinds.values()) < tries:
        siege = _Siege(client, chance)
        left = min(TRIES_PER_WORLD, tries - sum(kinds.values()))
        false += siege.attack(left, kinds, statuses)
        controls += siege.genuine_reports_still_count()
        worlds += 1
    answers = ", ".join(f"{statuses[status]:,} × {status}" for status in sorted(statuses))
    faults = sum(number for status, number in statuses.items() if status >= 500)
    return [
        Finding(
            f"webhooks forged, replayed, reordered, early, late, doubled, of another verification, phone or vendor, in "
            f"{len(kinds)} kinds",
            sum(kinds.values()),
            false,
            f"telefon-ip's is a hint that is read back; SMSC's needs a signature over phone and time, within the "
            f"attempt, once. Answers: {answers}. The genuine report verified afterwards in {controls} of {worlds * 3} "
            "cases",
            false == 0 and faults == 0 and controls == worlds * 3,
        )
    ]


class _Siege:
    """One world: victims whose vendors never say that the right phone has called."""

    def __init__(self, client: Any, chance: random.Random) -> None:
        self.world = world = World(client)
        self.chance = chance
        self.kinds: dict[str, Callable[[Gateway], int]] = {
            "telefon-ip: random": self._telefon_ip,
            "telefon-ip: the right token and call, the claimed phone": self._telefon_ip_perfect,
            "telefon-ip: another verification's token": self._telefon_ip_of_another,
            "telefon-ip: a status read in between": self._read,
            "smsc: random": self._smsc,
            "smsc: no secret, an empty or a guessed one": self._smsc_unsigned,
            "smsc: genuine, but before the start": self._smsc_early,
            "smsc: genuine, but after the window": self._smsc_late,
            "smsc: genuine, of a phone that waits for nothing": self._smsc_of_another_phone,
            "smsc: genuine, of an earlier and used call": self._smsc_replayed,
            "smsc: genuine, for a verification that was canceled": self._smsc_canceled,
            "smsc: genuine, but each parameter twice": self._smsc_twice,
            "smsc: signed with waitcall=0": self._smsc_waitcall,
            "smsc: the signature of an SMS status": self._smsc_sms_status,
        }
        self.phones = iter(range(chance.randrange(10_000), 20_000))
        # An smsc verification that was verified as it should be: its callback is what will be replayed.
        self.replayed_phone = self._new_phone()
        earlier = world.start(server(), self.replayed_phone, provider="smsc")
        self.used = signed(self.replayed_phone, int(world.now) + 1)
        world.now += 2
        with gateway(world) as entry:
            assert entry.send("POST", SMSC_PATH, parameters=SMSC_PARAMETERS, body=urlencode(self.used)).status == 200
        # And one that was canceled, whose phone now waits at another vendor.
        self.canceled_phone = self._new_phone()
        canceled = world.start(server(), self.canceled_phone, provider="smsc")
        world.service.cancel(server(), canceled.id, None)
        world.now += VERIFIED_HOLD_SECONDS
        self.started_at = int(world.now)
        self.genuine = {earlier.id}
        self.victims = [
            self._victim("waits", None),
            self._victim("echo, pending", lambda phone, id_: _check(phone, id_, status="pending")),
            # A vendor that leaves out the status is believed after the verification's own webhook: its token is kept.
            self._victim("echo, no status", lambda phone, id_: _check(phone, id_), leaked=False),
            self._victim("wrong caller", lambda _, id_: _check("89000009999", id_, status="ok")),
            self._victim("other id", lambda phone, id_: _check(phone, str(int(id_) + 1), status="ok")),
            self._victim("expired", lambda phone, id_: _check(phone, id_, status="expired")),
            self._victim("status is a list", lambda phone, id_: _check(phone, id_, status=["ok"])),
            self._victim("phone is a list", lambda phone, id_: _check([phone], id_, status="ok")),
            self._victim("two phones", lambda phone, id_: _two_phones(phone, id_)),
            self._victim("no success", lambda phone, id_: _check(phone, id_, status="ok", success="true")),
            Victim("canceled", self.canceled_phone, world.start(server(), self.canceled_phone, provider="telefon_ip")),
            Victim("flash", phone := self._new_phone(), world.start(server(), phone, provider="ucaller")),
        ]
        self.smsc = [
            Victim("smsc", phone := self._new_phone(), world.start(server(), phone, provider="smsc")),
            Victim("replay", self.replayed_phone, world.start(server(), self.replayed_phone, provider="smsc")),
        ]

    def _new_phone(self) -> str:
        return phone_number(next(self.phones))

    def _victim(self, name: str, check: Callable[[str, str], bytes] | None, *, leaked: bool = True) -> Victim:
        phone = self._new_phone()
        victim = Victim(name, phone, self.world.start(server(), phone, provider="telefon_ip"), leaked)
        if check:
            self.world.vendors.checks[victim.call_id] = check(f"8{phone[2:]}", victim.call_id)
        return victim

    def attack(self, tries: int, kinds: Counter[str], statuses: Counter[int]) -> int:
        """The number of verifications that became verified, and should not have."""
        names = list(self.kinds)
        # Most tries need no look into the table, so that the others do not take all the time.
        weights = [1 if "genuine" in name or "right token" in name or "read" in name else 4 for name in names]
        with gateway(self.world) as entry:
            for _ in range(tries):
                self.world.now += SECONDS_BETWEEN
                (kind,) = self.chance.choices(names, weights)
                kinds[kind] += 1
                statuses[self.kinds[kind](entry)] += 1
        verified = self.world.verified()
        assert self.world.counts.metrics["Verified"] >= len(self.genuine)
        return len(verified - self.genuine)

    def genuine_reports_still_count(self) -> int:
        """How many of three victims verify when their users do call: else nothing would have been attacked."""
        world, waiting = self.world, self.victims[0]
        silent = self.victims[2]
        world.vendors.checks[waiting.call_id] = _check(f"8{waiting.phone[2:]}", waiting.call_id, status="ok")
        world.now += 4
        with gateway(world) as entry:
            for victim in (waiting, silent):
                entry.send(
                    "GET",
                    TELEFON_IP_PATH,
                    parameters={
                        "id": victim.verification.id,
                        "token": world.keys.webhook_token(victim.verification.id),
                    },
                    query=[("success", "True"), ("phone", f"8{victim.phone[2:]}"), ("id", victim.call_id)],
                )
            body = urlencode(signed(self.smsc[0].phone, int(world.now)))
            entry.send("POST", SMSC_PATH, parameters=SMSC_PARAMETERS, body=body)
        wanted = {waiting.verification.id, silent.verification.id, self.smsc[0].verification.id}
        return len(world.verified() & wanted)

    # telefon-ip

    def _telefon_ip(self, entry: Gateway) -> int:
        chance, victim = self.chance, self.chance.choice(self.victims)
        token = chance.choice([self._token(victim), SMSC_TOKEN, "", "x" * 43, "токен", self._token(victim)[:-1]])
        success = chance.choice(["True", "true", "TRUE", "1", "False", "", "True "])
        call_id = chance.choice([victim.call_id, f"{victim.call_id:>09}", "-1", "1e5", "9" * 40, "0x10", "22760.0"])
        phone = chance.choice([f"8{victim.phone[2:]}", victim.phone, victim.phone[1:], "", "89000009999", "0"])
        return self._send_telefon_ip(
            entry, victim, token, self._mangled({"success": success, "phone": phone, "id": call_id})
        )

    def _telefon_ip_perfect(self, entry: Gateway) -> int:
        victim = self.chance.choice(self.victims)
        report = [("success", "True"), ("phone", f"8{victim.phone[2:]}"), ("id", victim.call_id)]
        return self._send_telefon_ip(entry, victim, self._token(victim), report)

    def _telefon_ip_of_another(self, entry: Gateway) -> int:
        victim, other = self.chance.sample(self.victims, 2)
        report = [("success", "True"), ("phone", f"8{victim.phone[2:]}"), ("id", other.call_id)]
        if self.chance.random() < 0.5:  # the other's webhook, told of this victim's phone and call
            report = [("success", "True"), ("phone", f"8{victim.phone[2:]}"), ("id", victim.call_id)]
            return self._send_telefon_ip(entry, other, self._token(other), report)
        return self._send_telefon_ip(entry, victim, self._token(other), report)

    def _read(self, entry: Gateway) -> int:  # noqa: ARG002
        """Reading makes the service ask the vendor too."""
        self.world.service.status(server(), self.chance.choice(self.victims).verification.id)
        return 200

    def _token(self, victim: Victim) -> str:
        """Its webhook's token, as far as the attacker knows it."""
        return self.world.keys.webhook_token(victim.verification.id if victim.leaked else "vrf_of_the_attacker")

    def _send_telefon_ip(self, entry: Gateway, victim: Victim, token: str, report: Pairs) -> int:
        parameters = {"id": victim.verification.id, "token": token or "-"}
        return self._send(entry, TELEFON_IP_PATH, parameters, report)

    # SMSC

    def _smsc(self, entry: Gateway) -> int:
        chance, victim = self.chance, self.chance.choice([*self.smsc, *self.victims])
        ts = str(chance.choice([int(self.world.now), 0, -1, "", "1e9", "١٢٣", 10**15, f" {int(self.world.now)}"]))
        phone = chance.choice([victim.phone[1:], victim.phone, f"8{victim.phone[2:]}", "", f"1:{victim.phone[1:]}"])
        md5 = chance.choice(["", "0" * 32, f"{chance.getrandbits(128):032x}", "md5", "е" * 32])
        report = {"waitcall": chance.choice(["1", "1", "true", ""]), "phone": phone, "ts": ts, "md5": md5}
        token = chance.choice([SMSC_TOKEN, SMSC_TOKEN, SMSC_TOKEN[:-1], self._token(self.victims[0]), "токен"])
        return self._send(entry, SMSC_PATH, {"token": token}, self._mangled(report))

    def _smsc_unsigned(self, entry: Gateway) -> int:
        phone, ts = self.chance.choice(self.smsc).phone[1:], str(int(self.world.now))
        text = self.chance.choice(
            [
                f"{phone}:{ts}",
                f"{phone}:{ts}:",
                f"{phone}:{ts}:{SMSC_TOKEN}",
                f"{phone}{ts}{SMSC_SECRET[:-1]}",
                f"{phone}:{ts}:{SMSC_SECRET.upper()}",
                f"{phone}:{ts}:{self._token(self.victims[0])}",
            ]
        )
        return self._send_smsc(entry, [("waitcall", "1"), ("phone", phone), ("ts", ts), ("md5", md5_of(text))])

    def _smsc_early(self, entry: Gateway) -> int:
        return self._send_smsc(entry, signed(self.smsc[0].phone, self.started_at - self.chance.randint(1, 10**6)))

    def _smsc_late(self, entry: Gateway) -> int:
        end = self.smsc[0].verification.expires_at
        return self._send_smsc(entry, signed(self.smsc[0].phone, end + self.chance.randint(1, 10**6)))

    def _smsc_of_another_phone(self, entry: Gateway) -> int:
        return self._send_smsc(entry, signed(f"+79000009{self.chance.randrange(1_000):03}", int(self.world.now)))

    def _smsc_replayed(self, entry: Gateway) -> int:
        return self._send_smsc(entry, self.used)

    def _smsc_canceled(self, entry: Gateway) -> int:
        return self._send_smsc(entry, signed(self.canceled_phone, int(self.world.now)))

    def _smsc_twice(self, entry: Gateway) -> int:
        """A genuine signature of another phone, with the victim's beside it, in the query or in the body."""
        report = signed(self.canceled_phone, int(self.world.now))
        name = self.chance.choice(["waitcall", "phone", "ts", "md5"])
        report.append((name, self.smsc[0].phone[1:] if name == "phone" else dict(report)[name]))
        self.chance.shuffle(report)
        return self._send_smsc(entry, report)

    def _smsc_waitcall(self, entry: Gateway) -> int:
        report = dict(signed(self.smsc[0].phone, int(self.world.now)))
        report["waitcall"] = self.chance.choice(["0", "01", "1.0", "true", "1 ", "-1", "2"])
        return self._send_smsc(entry, list(report.items()))

    def _smsc_sms_status(self, entry: Gateway) -> int:
        """md5(id:phone:status:secret), which the same secret signs: can it be read as md5(phone:ts:secret)?"""
        phone, message, status = self.smsc[0].phone[1:], str(self.chance.randrange(10**6)), str(int(self.world.now))
        md5 = md5_of(f"{message}:{phone}:{status}:{SMSC_SECRET}")
        readings = [(f"{message}:{phone}", status), (phone, status), (message, f"{phone}:{status}")]
        given, ts = self.chance.choice(readings)
        return self._send_smsc(entry, [("waitcall", "1"), ("phone", given), ("ts", ts), ("md5", md5)])

    def _send_smsc(self, entry: Gateway, report: Pairs) -> int:
        return self._send(entry, SMSC_PATH, SMSC_PARAMETERS, report)

    # Any

    def _mangled(self, report: dict[str, str]) -> Pairs:
        """The parameters, perhaps with one missing, given twice, or under a name that some frameworks take for it."""
        pairs, chance = list(report.items()), self.chance
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

    def _send(self, entry: Gateway, path: str, parameters: dict[str, str], report: Pairs) -> int:
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
        return entry.send(
            method, path, parameters=parameters, query=query, body=body, base64=encoded, headers=form
        ).status


SMSC_PATH, SMSC_PARAMETERS = "/webhooks/smsc/{token}", {"token": SMSC_TOKEN}
TELEFON_IP_PATH = "/webhooks/telefon-ip/{id}/{token}"


def md5_of(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def signed(phone: str, ts: int) -> Pairs:
    """SMSC's callback for a call of this phone at this time."""
    digits = phone.removeprefix("+")
    md5 = md5_of(f"{digits}:{ts}:{SMSC_SECRET}")
    return [("waitcall", "1"), ("phone", digits), ("ts", str(ts)), ("md5", md5)]


def _check(phone: object, call_id: str, *, status: object = None, success: object = True) -> bytes:
    data: dict[str, object] = {"phone": phone, "id": int(call_id)}
    return json.dumps({"success": success, "data": data | ({"status": status} if status else {})}).encode()


def _two_phones(phone: str, call_id: str) -> bytes:
    """A body whose meaning hangs on the parser: which of the two counts?"""
    return (
        f'{{"success":true,"data":{{"phone":"89000009999","phone":"{phone}","id":{call_id},"status":"ok"}}}}'.encode()
    )
