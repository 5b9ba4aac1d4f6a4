"""Credentials: tampered, expired, of somebody else, with too little scope, of the other mode."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import string
from collections.abc import Iterator
from typing import Any
from unittest import mock

from attacks.gateway import Gateway, gateway
from attacks.guessing import DIGITS, WEAKEST
from attacks.report import Finding
from attacks.world import World, phone_number, server
from callverify.domain.verification import Verification
from callverify.domain.words import Scope
from callverify.edge import access

READ, WRITE = str(Scope.READ), str(Scope.WRITE)
ROUTES = [
    ("POST", "/verifications"),
    ("GET", "/verifications/{id}"),
    ("POST", "/verifications/{id}/check"),
    ("POST", "/verifications/{id}/repeat"),
    ("POST", "/verifications/{id}/switch"),
    ("POST", "/verifications/{id}/cancel"),
    ("GET", "/events"),
]
OWN_ROUTES = ROUTES[1:5]
NEEDS = {route: WRITE if route[0] == "POST" else READ for route in ROUTES}


def api_key(name: str, mode: str = "live") -> str:
    return f"cv_{mode}_" + (name * 43)[:43]


def entry(key: str, scopes: list[str], mode: str = "live") -> dict[str, Any]:
    return {"name": key[-4:], "sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": scopes, "mode": mode}


FULL, READER, WRITER, NOTHING, TEST = (api_key(name) for name in "FRWNT")
API_KEYS = [
    entry(FULL, [READ, WRITE]),
    entry(READER, [READ]),
    entry(WRITER, [WRITE]),
    entry(NOTHING, []),
    entry(TEST, [READ, WRITE], "test"),
]


def run(client: Any, *, tokens: int, keys: int) -> list[Finding]:
    world = World(client)
    with gateway(world, API_KEYS) as way_in:
        mine = world.start(server(), phone_number(6001), **WEAKEST)
        yours = world.start(server(), phone_number(6002), **WEAKEST)
        return [
            _client_tokens(world, way_in, mine, yours, tokens),
            _api_keys(way_in, yours, keys),
            _idempotency_keys(way_in, keys),
        ]


def send(way_in: Gateway, route: tuple[str, str], id_: str, credential: str, **more: Any) -> int:
    """Ask for a route with the least of a body that it takes: what is judged is who may."""
    switch = {"phone": "+79000000101", "method": WEAKEST["method"]}
    body = {
        "/check": json.dumps({"code": "0" * DIGITS}),
        "/switch": json.dumps(switch),
        "/verifications": json.dumps({"phone": "+79000000101"}),
    }
    text = next((body[end] for end in body if route[1].endswith(end)), "{}") if route[0] == "POST" else None
    parameters = {"id": id_} if "{id}" in route[1] else None
    return way_in.send(*route, parameters=parameters, body=text, credential=credential, **more).status


# Client tokens


def _client_tokens(world: World, way_in: Gateway, mine: Verification, yours: Verification, tries: int) -> Finding:
    chance = random.Random(5)
    token = world.keys.client_token(mine.id, mine.created_at)
    refusals = {401, 403}
    got_in, tried = 0, 0
    for forged in _forged_tokens(token, mine, yours, chance, tries):
        route = chance.choice(OWN_ROUTES)
        # Half of them with the policy that a good token earned, which the gateway would have kept.
        got_in += send(way_in, route, chance.choice([mine.id, yours.id]), forged) not in refusals
        tried += 1
    # A good one, used for what it is not good for.
    for route in ROUTES:
        for id_ in (mine.id, yours.id, f"{mine.id}x", f"{mine.id}/../{yours.id}", "*"):
            if route in OWN_ROUTES and id_ == mine.id:
                continue
            judged_at = ("GET", f"/verifications/{mine.id}")
            got_in += send(way_in, route, id_, token, judged_at=judged_at) not in refusals
            got_in += send(way_in, route, id_, token, applies_policy=False) not in refusals | {404}
            tried += 2
    works = send(way_in, OWN_ROUTES[0], mine.id, token) == 200
    before = world.now
    for age in (1800, 1801, 86_400):
        world.now = mine.created_at + age
        got_in += way_in.authorize(token, "GET", f"/verifications/{mine.id}") is not None
        tried += 1
        for route in OWN_ROUTES:
            # The gateway may know it from a moment ago, when it was good.
            got_in += send(way_in, route, mine.id, token, cached_for=age) not in refusals
            tried += 1
    world.now = before
    return Finding(
        "client tokens tampered with, of another verification, on other routes, expired",
        tried,
        got_in,
        "an HMAC over id and end, compared in constant time; the authorizer's policy names its four routes, and the "
        "function judges id and end again",
        got_in == 0 and works,
    )


def _forged_tokens(
    token: str, mine: Verification, yours: Verification, chance: random.Random, tries: int
) -> Iterator[str]:
    head, id_, end, signature = token.split(".")
    letters = string.ascii_letters + string.digits + "-_"
    for _ in range(tries):
        at = chance.randrange(len(signature))
        other = signature[:at] + chance.choice([c for c in letters if c != signature[at]]) + signature[at + 1 :]
        random_text = "".join(chance.choices(letters, k=43))
        key = chance.choice(["", "secret", mine.id, yours.id])
        unkeyed = hmac.new(key.encode(), f"{yours.id}.{end}".encode(), hashlib.sha256).hexdigest()
        yield chance.choice(
            [
                f"{head}.{yours.id}.{end}.{signature}",
                f"{head}.{id_}.{int(end) + chance.randrange(1, 10**6)}.{signature}",
                f"{head}.{id_}.0{end}.{signature}",
                f"{head}.{id_}.{end}0000000.{signature}",
                f"{head}.{id_}.{end}.",
                f"{head}.{id_}.{end}.{other}",
                f"{head}.{id_}.{end}.{signature[:-1]}",
                f"{head}.{id_}.{end}.{signature}.{signature}",
                f"{head}.{yours.id}.{end}.{random_text}",
                f"{head}.{yours.id}.{end}.{unkeyed}",
                f"{head}.{yours.id}.{end}.{'е' * 43}",
                f"{head}.{yours.id}.{'٩' * 10}.{signature}",
                f"{head}..{end}.{signature}",
                f"{head}.{yours.id}",
                f"CVT.{id_}.{end}.{signature}",
            ]
        )


# API keys


def _api_keys(way_in: Gateway, yours: Verification, tries: int) -> Finding:
    chance = random.Random(6)
    got_in, tried, worked = 0, 0, 0
    for forged in _forged_keys(chance, tries):
        got_in += send(way_in, chance.choice(ROUTES), yours.id, forged) != 401
        tried += 1
    # Scopes and modes, with the policy of one route taken for all others.
    test_id = way_in.send("POST", "/verifications", body='{"phone": "+79000000101"}', credential=TEST).body["id"]
    scopes = {READER: {READ}, WRITER: {WRITE}, NOTHING: set()}
    for key, has in scopes.items():
        for route in ROUTES:
            for judged_at in (None, *ROUTES):
                path = (judged_at[0], judged_at[1].replace("{id}", yours.id)) if judged_at else None
                status = send(way_in, route, yours.id, key, judged_at=path)
                if NEEDS[route] in has:
                    worked += status != 403
                else:
                    alone = send(way_in, route, yours.id, key, applies_policy=False)
                    got_in += (status not in (401, 403)) + (alone != 403)
                    tried += 2
    for key, id_ in ((FULL, test_id), (TEST, yours.id)):
        for route in ROUTES[1:6]:
            got_in += send(way_in, route, id_, key) != 404
            tried += 1
    # A revoked key, once its secret has been read anew.
    way_in.api_keys = [each for each in API_KEYS if each["name"] != FULL[-4:]]
    got_in += send(way_in, ROUTES[1], yours.id, FULL) != 401
    way_in.api_keys = list(API_KEYS)
    return Finding(
        "API keys: wrong, revoked, with another's scope, with another mode",
        tried + 1,
        got_in,
        "256 random bits, of which only the hash is kept; every key's hash is compared, each in constant time; the "
        "authorizer and the function both judge the scope. A revoked key lives for up to 5 minutes in caches",
        got_in == 0 and worked > 0 and compares_every_key_in_constant_time(),
    )


def _forged_keys(chance: random.Random, tries: int) -> Iterator[str]:
    letters = string.ascii_letters + string.digits + "-_"
    digest = hashlib.sha256(FULL.encode()).hexdigest()
    for _ in range(tries):
        yield chance.choice(
            [
                "cv_live_" + "".join(chance.choices(letters, k=43)),
                FULL[:-1] + chance.choice("abc"),
                FULL[:-1],
                FULL + "F",
                FULL.lower(),
                FULL.replace("cv_live_", "cv_test_"),
                digest,  # the stored hash is no key
                digest[:16],
                "null",
                "*",
                "' OR 1=1 --",
            ]
        )


def compares_every_key_in_constant_time() -> bool:
    """The number of constant-time comparisons does not depend on which key is right, or whether any is."""
    keys, _ = access.parse_api_keys(json.dumps(API_KEYS))
    compared = []
    for key in (FULL, TEST, "cv_live_wrong"):
        digest = hashlib.sha256(key.encode()).hexdigest()
        with mock.patch("callverify.edge.access.hmac.compare_digest", side_effect=hmac.compare_digest) as compare:
            found = access._find(digest, keys)
        compared.append(compare.call_count)
        if (found is not None) is (key == "cv_live_wrong"):
            return False
    return compared == [len(keys)] * 3


# Idempotency keys


def _idempotency_keys(way_in: Gateway, tries: int) -> Finding:
    """Another customer's server guesses right: the same Idempotency-Key and the same body. What does it learn?"""
    other = api_key("O")
    way_in.api_keys.append(entry(other, [READ, WRITE]))
    learned, tried = 0, 0
    for number in range(min(tries, 20)):
        body = json.dumps({"phone": phone_number(6100 + number), "reference": "order", **WEAKEST})
        headers = {"Idempotency-Key": f"order-{number}"}
        first = way_in.send("POST", "/verifications", body=body, headers=headers, credential=FULL)
        secrets = {first.body["id"], first.body["client_token"]}
        again = way_in.send("POST", "/verifications", body=body, headers=headers, credential=FULL)
        assert again.body["id"] == first.body["id"], "the owner's own replay works"
        for credential, text in ((other, body), (other, "{}"), (TEST, body), (TEST, "{}")):
            reply = way_in.send("POST", "/verifications", body=text, headers=headers, credential=credential)
            answer = json.dumps(reply.body)
            learned += (
                reply.status < 300
                or "Idempotent-Replayed" in reply.headers
                or reply.body["code"].startswith("idempotency")
                or any(secret in answer for secret in secrets)
            )
            tried += 1
        # A browser's own Idempotency-Keys are apart from those of the server.
        token = first.body["client_token"]
        reply = way_in.send(
            "POST",
            "/verifications/{id}/switch",
            parameters={"id": first.body["id"]},
            body=body,
            headers=headers,
            credential=token,
        )
        learned += "Idempotent-Replayed" in reply.headers or reply.body["code"].startswith("idempotency")
        tried += 1
    return Finding(
        "another customer's Idempotency-Key guessed right, with the same body",
        tried,
        learned,
        "records are kept under a keyed hash of API key and Idempotency-Key together; that the phone is busy is all "
        "that is said",
        learned == 0,
    )
