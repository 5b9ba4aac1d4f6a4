"""The door for Twilio Verify's SDKs: two clients and one number, and credentials at routes that they don't open."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

from attacks.credentials import API_KEYS, FULL, TEST, api_key, entry, send
from attacks.gateway import Gateway, gateway, report_call
from attacks.guessing import WEAKEST
from attacks.report import Finding
from attacks.world import BY_PHONE, CODED, World, phone_number, server
from callverify.domain.words import Scope
from tests.support.handlers import HANDLERS, WEBHOOKS, Answer

ACCOUNT, SERVICE, OTHER_SERVICE = "AC" + "a" * 32, "VA" + "b" * 32, "VA" + "c" * 32
SERVICES = "/twilio/v2/Services/{service}"
OTHER_KEY = api_key("O")
ACTS = ("victim creates", "attacker creates", "victim calls", "victim checks", "attacker checks")
# Who the attacker asks through: the same customer's server, another key of it, another of its services.
THROUGH = {
    "the same key": (FULL, SERVICE),
    "another key": (OTHER_KEY, SERVICE),
    "another service": (FULL, OTHER_SERVICE),
}


def run(client: Any, *, orders: int) -> list[Finding]:
    return [_two_clients(client, orders), _credentials(client)]


class Client:
    """One SDK's client, of a server that asks for each user who types a number."""

    def __init__(self, way_in: Gateway, key: str, service: str) -> None:
        self._way_in = way_in
        self._service = service
        self._credential = basic(key)

    def _send(self, method: str, path: str, named: str | None = None, **form: str | None) -> Answer:
        parameters = {"service": self._service} | ({"verification": named} if named else {})
        return self._way_in.send(
            method,
            f"{SERVICES}/{path}",
            parameters=parameters,
            body=urlencode({name: text for name, text in form.items() if text is not None}) or None,
            credential=self._credential,
            scheme="Basic",
        )

    def create(self, phone: str, channel: str) -> Answer:
        return self._send("POST", "Verifications", To=phone, Channel=channel)

    def fetch(self, named: str) -> Answer:
        return self._send("GET", "Verifications/{verification}", named)

    def check(self, sid: str | None = None, to: str | None = None, code: str | None = None) -> bool:
        """Whether this client's user is let in."""
        answer = self._send("POST", "VerificationCheck", VerificationSid=sid, To=to, Code=code)
        return answer.status == 200 and answer.body["status"] == "approved"


def basic(key: str, account: str = ACCOUNT) -> str:
    return base64.b64encode(f"{account}:{key}".encode()).decode()


def _two_clients(client: Any, orders: int) -> Finding:
    """The attacker typed the victim's number. The victim holds the phone, and acts on their own page alone."""
    world, chance = World(client), random.Random(7)
    (by_phone, reverse), (coded, flash) = BY_PHONE[0], next(each for each in CODED if each[1].method == "flash_call")
    world.order = [f"{by_phone.name}:{reverse.method}", f"{coded.name}:{flash.method}"]
    keys = [*API_KEYS, entry(OTHER_KEY, [*map(str, Scope)])]
    cases = [
        (order, channel, through) for order in permutations(ACTS) for channel in ("sna", "call") for through in THROUGH
    ]
    stolen = twice = let_in = 0
    with gateway(world, keys) as way_in:
        for number, (order, channel, through) in enumerate(chance.sample(cases, orders)):
            phone = phone_number(number)
            victim, attacker = Client(way_in, FULL, SERVICE), Client(way_in, *THROUGH[through])
            mine: Answer | None = None
            theirs: Answer | None = None
            code: str | None = None
            for act in order:
                if act == "victim creates":
                    mine = victim.create(phone, channel)
                elif act == "attacker creates":
                    theirs = attacker.create(phone, channel)
                elif act == "victim calls" and mine and mine.status == 201:
                    if channel == "sna":
                        report_call(way_in, world, by_phone, phone)
                    else:
                        code = world.vendor(coded.name).last_code(phone)
                elif act == "victim checks" and mine and mine.status == 201:
                    passed = [victim.check(sid=mine.body["sid"], code=code) for _ in range(2)]
                    let_in += passed[0]
                    twice += passed[1]
                elif act == "attacker checks":
                    stolen += any(_attacker_checks(attacker, phone, theirs))
            # And whatever was left of it, once all has happened.
            stolen += any(_attacker_checks(attacker, phone, theirs))
            world.now += 1_200
    return Finding(
        "two SDK clients and one number, in every order of create, call and check",
        orders,
        stolen + twice,
        f"nobody is let in by another's call, and none of the {let_in} that were is let in twice: a live reverse call "
        "is told to nobody else, a check without a code needs its sid, and is approved once by a conditional write",
        not stolen and not twice and let_in > 0,
    )


def _attacker_checks(attacker: Client, phone: str, created: Answer | None) -> Iterator[bool]:
    """With all that a server could ask for them: by number, by the sid of their own create, by one that is found."""
    found = attacker.fetch(phone)
    sids = {each.body["sid"] for each in (created, found) if each and each.status in (200, 201)}
    yield attacker.check(to=phone)
    yield attacker.check(to=phone, code="0000")  # no code of ours
    for sid in sids:
        yield attacker.check(sid=sid)
        yield attacker.check(sid=sid, to=phone)


def _credentials(client: Any) -> Finding:
    """Each route with each kind of credential, by the gateway's policy and by the function alone."""
    world = World(client)
    got_in = tried = worked = 0
    with gateway(world, API_KEYS) as way_in:
        mine = world.start(server(), phone_number(6101), **WEAKEST)
        token = world.keys.client_token(mine.id, mine.created_at)
        held: Mapping[str, tuple[str, str]] = {
            "nobody": ("Basic", basic(api_key("U"))),
            "no account": ("Basic", basic(FULL, "user")),
            "client token": ("Basic", basic(token)),
            "basic": ("Basic", basic(FULL)),
            "test": ("Basic", basic(TEST)),
            "bearer": ("Bearer", FULL),
        }
        for route in HANDLERS:
            if route[1] == WEBHOOKS:
                continue
            door = route[1].startswith("/twilio/")
            for name, (scheme, credential) in held.items():
                for policy in (True, False):
                    status = _ask(way_in, route, mine.id, credential, scheme, applies_policy=policy)
                    if name in (("basic", "test") if door else ("bearer",)):
                        worked += status not in (401, 403)
                    else:
                        got_in += status not in (401, 403)
                        tried += 1
    return Finding(
        "each route with nobody's key, a key as Basic, a client token as Basic, and a key as Bearer",
        tried,
        got_in,
        "a Basic credential opens the routes of that door alone, and nothing else opens those: the authorizer's policy "
        "and each function's list of callers say so, one without the other",
        got_in == 0 and worked > 0,
    )


def _ask(
    way_in: Gateway, route: tuple[str, str], id_: str, credential: str, scheme: str, *, applies_policy: bool
) -> int:
    if not route[1].startswith("/twilio/"):
        return send(way_in, route, id_, credential, scheme=scheme, applies_policy=applies_policy)
    parameters = {"service": SERVICE, "verification": "VE" + "0" * 32, "rest": "x"}
    given = {name: text for name, text in parameters.items() if f"{{{name}" in route[1]}
    answer = way_in.send(*route, parameters=given, credential=credential, scheme=scheme, applies_policy=applies_policy)
    return answer.status
