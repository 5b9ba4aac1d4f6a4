"""What a front door may do: verifications of one owner, told of as another API tells of them.

Such an API names a verification by its phone. Two users who type the same number must stay two: decision 123.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from callverify.domain import errors
from callverify.domain.value import value
from callverify.domain.verification import PROOF_SECONDS, Verification
from callverify.domain.words import Caller, EndReason, Method, Scope, Status, has_code
from callverify.service.cancel import cancel
from callverify.service.check import Checked
from callverify.service.check import check as check_code
from callverify.service.context import Context
from callverify.service.start import Owned, Start

NO_SUCH = "No such verification."


@value
class Begun:
    """page_url: of a reverse call that was started by this very request. No other reply has it."""

    verification: Verification
    page_url: str | None = None


class Door:
    """Verifications of `owner`, for one caller. repeat: the service's own, of an id."""

    def __init__(
        self,
        ctx: Context,
        caller: Caller,
        owner: str,
        base_url: str,
        *,
        repeat: Callable[[str], Verification],
    ) -> None:
        self._base_url = base_url
        self._ctx = ctx
        self._caller = caller
        self._owner = owner
        self._repeat = repeat

    def start(self, phone: str, method: Method, channel: str, fields: Mapping[str, Any]) -> Begun:
        """Begin a verification, or have the live one of this owner repeated, where both have a code.

        fields: more of a start's own. Raises the errors of a start and those of a repeat.
        """
        method = self._spoken(phone) if method is Method.FLASH_CALL and self._caller.voice_calls else method
        body = json.dumps({"phone": phone, "method": method, **fields})
        try:
            started = Start(self._ctx, self._caller, self._base_url, owned=Owned(self._owner, channel))(body, None)
        except errors.VerificationInProgress:
            # Nobody is told of a reverse call, not even a caller with the same key: one user's call would verify both.
            live = self._live(phone) if has_code(method) else None
            if live is None:
                raise
            return Begun(self._again(live))
        return Begun(started.verification, None if has_code(method) else started.page_url)

    def _spoken(self, text: str) -> Method:
        """A voice call for a country that no flash call serves, where the key's entry allows it."""
        lane = self._ctx.lane(self._caller.mode)
        phone = lane.judge(text, [Method.FLASH_CALL, Method.VOICE_CALL])
        served = {line.method for line in lane.lines(phone) if line.serves(phone.region)}
        spoken = Method.VOICE_CALL in served and Method.FLASH_CALL not in served
        return Method.VOICE_CALL if spoken else Method.FLASH_CALL

    def _live(self, phone: str) -> Verification | None:
        """This owner's live verification of a phone, with a code."""
        try:
            found = self.of_phone(phone, Scope.WRITE)
        except errors.NotFound:
            return None
        return found if found.is_live(self._ctx.now()) else None

    def _again(self, live: Verification) -> Verification:
        try:
            return self._repeat(live.id)
        except (errors.RepeatNotSupported, errors.RepeatWindowClosed):
            return live
        except errors.VerificationNotPending:
            raise errors.VerificationInProgress(
                "The verification of this phone has just ended. Retry after `retry_after` seconds.", retry_after=1
            ) from None

    def of_id(self, verification_id: str, scope: Scope = Scope.READ) -> Verification:
        """Raises NotFound for one of another owner, and Forbidden."""
        found = self._ctx.visible(self._caller, verification_id, scope)
        if found.owner != self._owner:
            raise errors.NotFound(NO_SUCH)
        return found

    def of_phone(self, text: str, scope: Scope = Scope.READ) -> Verification:
        """The last one with a code that this key has started for a phone. Raises InvalidPhone and NotFound."""
        self._ctx.require(self._caller, scope)
        phone_hash = self._ctx.keys.hash_phone(self.e164(text))
        found = self._ctx.store.pointed_to(self._caller.key_id, self._owner, phone_hash, self._ctx.now())
        if found is None:
            raise errors.NotFound(NO_SUCH)
        return self.of_id(found, scope)

    def is_of(self, verification: Verification, text: str) -> bool:
        """Whether a verification is of the phone that a text names."""
        return hmac.compare_digest(verification.phone_hash, self._ctx.keys.hash_phone(self.e164(text)))

    def e164(self, text: str) -> str:
        """The number that a text names. Raises InvalidPhone and CountryNotAllowed."""
        return self._ctx.lane(self._caller.mode).judge(text, list(Method)).e164

    def fetch(self, verification: Verification) -> Verification:
        """The verification as it may be read: one that was approved is gone. Raises NotFound."""
        if verification.status is Status.VERIFIED and not self._is_approvable(verification):
            raise errors.NotFound(NO_SUCH)
        return verification

    def check(self, verification: Verification, code: str) -> Checked:
        """Compare a typed code. Raises the errors of a check; RateLimited too where wrong codes have ended it."""
        try:
            return check_code(self._ctx, self._caller, verification, json.dumps({"code": code}), once=True)
        except errors.VerificationNotPending:
            if self._ctx.fresh(verification).reason is EndReason.CHECKS_EXHAUSTED:
                raise errors.RateLimited("Too many wrong codes.", limit="verification_guesses") from None
            raise

    def approve(self, verification: Verification) -> Checked:
        """Whether the awaited call has come: true once, within 10 minutes of it. Raises NotFound from then on.

        For a reverse call alone, and by its id: raises InvalidRequest for another.
        """
        self._ctx.require(self._caller, Scope.WRITE)
        if has_code(verification.method):
            raise errors.InvalidRequest("`code` is required: this verification has a code.")
        if verification.is_live(self._ctx.now()):
            return Checked(verification, valid=False)
        if not self._is_recent(verification):
            raise errors.NotFound(NO_SUCH)
        if not self._ctx.store.use(verification, secrets.token_hex(16), self._ctx.now()):
            raise errors.NotFound(NO_SUCH)
        return Checked(verification, valid=True)

    def cancel(self, verification: Verification) -> Verification:
        """Raises VerificationNotPending."""
        return cancel(self._ctx, verification, self._caller.name)

    def is_approved(self, verification: Verification) -> bool:
        """Whether this owner was told that it is verified."""
        if verification.status is not Status.VERIFIED:
            return False
        return has_code(verification.method) or self._ctx.store.used_by(verification.id) is not None

    def _is_approvable(self, verification: Verification) -> bool:
        return self._is_recent(verification) and not self.is_approved(verification)

    def _is_recent(self, verification: Verification) -> bool:
        return verification.verified_at is not None and self._ctx.now() < verification.verified_at + PROOF_SECONDS
