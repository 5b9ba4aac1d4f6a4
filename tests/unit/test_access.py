from __future__ import annotations

import hashlib
import json

import pytest

from callverify.domain.errors import Unauthorized
from callverify.domain.keys import Keys
from callverify.domain.words import Caller, CallerKind, Mode, Scope
from callverify.edge.access import REREAD_EVERY_SECONDS, Access, policy

KEY = "cv_test_" + "k" * 43


class Secret:
    def __init__(self) -> None:
        self.text = "[]"
        self.cached = "[]"
        self.forced = 0

    def read(self, force: bool) -> str:
        self.forced += force
        if force:
            self.cached = self.text
        return self.cached

    def add(self, key: str) -> None:
        digest = hashlib.sha256(key.encode()).hexdigest().upper()
        self.text = json.dumps([{"name": "shop", "sha256": digest, "scopes": [Scope.READ], "mode": "test"}])


@pytest.fixture
def secret() -> Secret:
    return Secret()


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def access(secret: Secret, clock: list[float]) -> Access:
    return Access(keys=lambda: Keys("p" * 64), read_api_keys=secret.read, clock=lambda: clock[0], fault=lambda _: None)


def test_an_unknown_key_is_looked_for_again_at_most_every_ten_seconds(
    access: Access, secret: Secret, clock: list[float]
) -> None:
    for at in (0.0, 0.1, 9.9, 10.0, 19.9):
        clock[0] = 1_800_000_000.0 + at
        with pytest.raises(Unauthorized):
            access.caller(f"Bearer {KEY}")
    assert (secret.forced, REREAD_EVERY_SECONDS) == (2, 10)


def test_a_key_that_was_just_made_works(access: Access, secret: Secret) -> None:
    secret.add(KEY)
    caller = access.caller(f"bearer  {KEY} ")
    assert (caller.kind, caller.mode, caller.scopes) == (CallerKind.API_KEY, Mode.TEST, frozenset({Scope.READ}))
    assert caller.key_id == hashlib.sha256(KEY.encode()).hexdigest()[:16]


def test_a_read_that_took_its_time_is_not_made_twice_in_one_request(
    access: Access, secret: Secret, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway waits for the authorizer, and the authorizer's time is for one slow read."""

    def read_slowly(force: bool) -> str:
        clock[0] += 5
        return Secret.read(secret, force)

    monkeypatch.setattr(access, "_read_api_keys", read_slowly)
    with pytest.raises(Unauthorized):
        access.caller(f"Bearer {KEY}")
    assert secret.forced == 0


def test_what_is_wrong_with_an_entry_is_told_once_for_each_text(secret: Secret, clock: list[float]) -> None:
    told: list[str] = []
    access = Access(
        keys=lambda: Keys("p" * 64),
        read_api_keys=secret.read,
        clock=lambda: clock[0],
        fault=lambda fault: told.append(fault.setting),
    )
    secret.add(KEY)
    secret.text = json.dumps([*json.loads(secret.text), {"name": "broken"}])
    for _ in range(3):
        assert access.caller(f"Bearer {KEY}").mode is Mode.TEST
    assert told == ["api-keys[1]"]
    secret.text = json.dumps([*json.loads(secret.text), 7])
    secret.cached = secret.text
    access.caller(f"Bearer {KEY}")
    assert told == ["api-keys[1]", "api-keys[1]", "api-keys[2]"]


def test_a_key_with_a_space_in_it_is_unknown(access: Access, secret: Secret) -> None:
    secret.add(KEY)
    for authorization in (f"Bearer {KEY} x", f"Bearer x {KEY}", f"Bearer{KEY}", KEY):
        with pytest.raises(Unauthorized):
            access.caller(authorization)


@pytest.mark.parametrize(("seconds", "good"), [(1799.9, True), (1800, False)])
def test_a_client_token_ends_by_the_clock(access: Access, clock: list[float], seconds: float, good: bool) -> None:
    token = Keys("p" * 64).client_token("vrf_x", 1_800_000_000)
    clock[0] += seconds
    if good:
        assert access.caller(f"Bearer {token}").verification_id == "vrf_x"
    else:
        with pytest.raises(Unauthorized):
            access.caller(f"Bearer {token}")


def test_a_key_without_scopes_is_denied_by_name() -> None:
    """A policy without a statement would be an error, and a resource of "*" is read as a deny by some gateways."""
    caller = Caller(CallerKind.API_KEY, key_id="k", scopes=frozenset())
    (statement,) = policy(caller, "arn:aws:execute-api:eu-central-1:1:api/v1/GET/verifications/x")["policyDocument"][
        "Statement"
    ]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", ["arn:aws:execute-api:eu-central-1:1:api/v1/*"])
