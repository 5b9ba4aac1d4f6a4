"""What the use cases share: settings, the store, the two lanes, and where they tell what happens."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping

from callverify.domain import errors
from callverify.domain.keys import Keys
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, Clock, Deadline, Mode, Scope, Status
from callverify.service.lane import Lane, Observer
from callverify.service.policy import Policy
from callverify.store import Index, Store

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(rf"vrf_(test_)?[{_LETTERS}]{{26}}")


@value
class Context:
    """lanes: by mode. later: sends a follow-up, to be acted on in so many seconds. deadline: of so many from now.

    tell: publishes a record that was just written to the browser that listens, if it can.
    pause: lets so many seconds go by.
    """

    store: Store
    index: Index
    keys: Keys
    policy: Policy
    lanes: Mapping[Mode, Lane]
    observer: Observer
    clock: Clock
    later: Callable[[str, int], object]
    deadline: Callable[[float], Deadline] = Deadline.after
    tell: Callable[[Verification], object] = lambda _: None
    pause: Callable[[float], None] = time.sleep

    def now(self) -> int:
        return int(self.clock())

    def lane(self, mode: Mode) -> Lane:
        return self.lanes[mode]

    def webhook_url(self, provider: str, verification_id: str, base_url: str) -> str:
        """The address at which a provider reports the call of one verification."""
        token = self.keys.webhook_token(verification_id)
        return f"{base_url}/webhooks/{provider}/{verification_id}/{token}"

    # Who may see what

    def require(self, caller: Caller, scope: Scope) -> None:
        if not caller.is_key or scope not in caller.scopes:
            raise errors.Forbidden(f"This needs an API key with the scope {scope}.")

    def visible(self, caller: Caller, verification_id: str, scope: Scope, *, client_token: bool = True) -> Verification:
        """The verification, if this caller may know of it. `client_token`: its own client token is enough."""
        if caller.is_key:
            self.require(caller, scope)
        elif not client_token or caller.verification_id != verification_id:
            raise errors.Forbidden("This client token reads, checks, repeats and switches its own verification only.")
        elif self.now() >= caller.expires_at:
            raise errors.Unauthorized("The client token has expired.")
        found = self.store.get(verification_id, self.now()) if is_id(verification_id) else None
        if found is None or (caller.is_key and found.mode is not caller.mode):
            raise errors.NotFound("No such verification.")
        self.observer.about(found.id)
        return found

    def fresh(self, verification: Verification) -> Verification:
        """The record as it is now."""
        found = self.store.get(verification.id, self.now())
        if found is None:
            raise errors.NotFound("No such verification.")
        return found

    def changed(self, verification: Verification) -> Verification:
        """The record after a write of ours that came too late.

        Raises Busy where nothing has changed and it is live all the same: a record of another version, without what
        our conditions ask for, on which the write would fail for ever.
        """
        fresh = self.fresh(verification)
        if fresh == verification and fresh.is_live(self.now()):
            raise errors.busy()
        return fresh

    def require_pending(self, verification: Verification) -> None:
        if not verification.is_live(self.now()):
            raise self.not_pending(verification)

    def not_pending(self, verification: Verification) -> errors.VerificationNotPending:
        status, _ = verification.status_at(self.now())
        return errors.VerificationNotPending(f"The verification has ended: it is {status}.")

    # What is told

    def count_end(self, metric: str, verification: Verification) -> None:
        """Tell at once how a call that was started ended, and count it."""
        self.tell(verification)
        observer = self.lane(verification.mode).observer
        provider, method = verification.provider, verification.method
        observer.count(metric, provider=provider, method=method)
        if verification.status is not Status.CANCELED:
            verified = verification.status is Status.VERIFIED
            observer.measure("Conversion", verified, "Count", provider=provider, method=method)
        if verification.verified_at is not None:
            took = verification.verified_at - verification.attempt.at
            observer.measure("SecondsToVerify", took, "Seconds", provider=provider, method=method)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def new_id(mode: Mode) -> str:
    """128 random bits, in letters that are not mistaken for one another; the first is 0 to 7."""
    return id_of_number(secrets.randbits(128), mode)


def id_of_number(number: int, mode: Mode) -> str:
    name = "".join(_LETTERS[(number >> shift) & 31] for shift in range(125, -5, -5))
    return f"vrf_test_{name}" if mode is Mode.TEST else f"vrf_{name}"


def number_of_id(verification_id: str) -> int:
    """The 128 bits of an id, which says the mode besides."""
    number = 0
    for letter in verification_id[-26:]:
        number = number << 5 | _LETTERS.index(letter)
    return number
