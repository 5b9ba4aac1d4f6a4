"""The service as its functions call it: one method for each thing that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from callverify.domain import errors
from callverify.domain.claims import IdempotencyKey
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, Deadline, Method, Mode, Phone, Scope
from callverify.providers.base import Line
from callverify.service import cancel, check, events, follow_up, repeat, requests, switch, webhooks
from callverify.service.context import Context
from callverify.service.dial import Skipped, blocked, rate_limited
from callverify.service.follow_up import FollowUp
from callverify.service.start import Start
from callverify.service.started import Started, answer
from callverify.service.steps import IN_PROGRESS, Steps
from callverify.store import Blocked, LimitReached, Stale, Taken

if TYPE_CHECKING:
    # Of front doors, as are the imports below: the other functions' cold starts do without.
    from callverify.service.doors import Door
    from callverify.service.proof import Claimed


@value
class Stepped:
    """The answer to a repeat or a switch. `replayed`: an Idempotency-Key was seen before. `skipped`: as at a start."""

    verification: Verification
    replayed: bool = False
    skipped: Sequence[Skipped] = ()


# What a repeat or a switch does under the key, once nothing speaks against it.
Act = Callable[[IdempotencyKey | None], tuple[Verification, Sequence[Skipped]]]


class Service:
    """The verification service. `base_url` is what links to this API begin with."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def now(self) -> int:
        return self._ctx.now()

    def start(
        self,
        caller: Caller,
        body: str | None,
        *,
        idempotency_key: str | None,
        base_url: str,
        deadline: Deadline | None = None,
    ) -> Started:
        """Begin a verification. Raises the errors of a start: see `Start`."""
        return Start(self._ctx, caller, base_url, deadline)(body, idempotency_key)

    def started(self, caller: Caller, verification_id: str, *, base_url: str) -> Started:
        """The answer to the start of a verification again, as the verification is now. Nothing is started."""
        found = self._ctx.visible(caller, verification_id, Scope.WRITE, client_token=False)
        return answer(self._ctx, found, base_url, replayed=True)

    def judge_phone(self, caller: Caller, text: str) -> Phone:
        """The phone that a start could be for. Raises InvalidPhone and CountryNotAllowed."""
        return self._ctx.lane(caller.mode).judge(text, list(Method))

    def read(self, caller: Caller, verification_id: str) -> Verification:
        """The verification as it is now. No provider is asked: follow-ups do that."""
        return self._ctx.visible(caller, verification_id, Scope.READ)

    def check(self, caller: Caller, verification_id: str, body: str | None) -> check.Checked:
        """Compare a typed code. Raises the errors of a check: see `check`."""
        return check.check(self._ctx, caller, self._ctx.visible(caller, verification_id, Scope.WRITE), body)

    def use(self, caller: Caller, verification_id: str, claimed: Claimed, by: str) -> bool:
        """Whether a verification proves what is claimed, and is used for it now: see `proof`."""
        from callverify.service import proof

        return proof.use(self._ctx, caller, verification_id, claimed, by)

    def decoy(self, verification_id: str | None, *, base_url: str) -> Started:
        """The look of a started verification where there is nobody to verify: see `decoy`."""
        from callverify.service import decoy

        return decoy.decoy(self._ctx, verification_id, base_url)

    def used_by(self, verification_id: str) -> str | None:
        """Who has used a verification as a proof: the `by` of `use`."""
        return self._ctx.store.used_by(verification_id)

    def repeat(
        self, caller: Caller, verification_id: str, body: str | None, *, idempotency_key: str | None, base_url: str
    ) -> Stepped:
        """The provider's own repeat of a call. Version 1's body of a switch is taken too, for one release."""
        if requests.is_switch(body):
            return self.switch(caller, verification_id, body, idempotency_key=idempotency_key, base_url=base_url)
        requests.parse_nothing(body)
        verification = self._ctx.visible(caller, verification_id, Scope.WRITE)
        lane = self._ctx.lane(verification.mode)

        def act(key: IdempotencyKey | None) -> tuple[Verification, Sequence[Skipped]]:
            return repeat.repeat(self._ctx, lane, verification, caller, key), ()

        def wanted(_: Verification, _body: str | None) -> tuple[Phone, Sequence[Line]]:
            raise AssertionError("a repeat is not dialled")

        steps = Steps(self._ctx, f"repeat {verification.id}", wanted, base_url)
        return self._step(steps, caller, verification, body, idempotency_key, act)

    def switch(
        self, caller: Caller, verification_id: str, body: str | None, *, idempotency_key: str | None, base_url: str
    ) -> Stepped:
        """Another method, or the same one again, under the same id. Raises the errors of a switch: see `switch`."""
        verification = self._ctx.visible(caller, verification_id, Scope.WRITE)
        lane = self._ctx.lane(verification.mode)

        def wanted(_: Verification, first_body: str | None) -> tuple[Phone, Sequence[Line]]:
            request = requests.parse_switch(first_body)
            phone = lane.judge(request.phone, verification.allowed_methods)
            return phone, switch.lines_for(lane, phone, request)

        def act(key: IdempotencyKey | None) -> tuple[Verification, Sequence[Skipped]]:
            request = requests.parse_switch(body)
            return switch.switch(self._ctx, lane, verification, request, caller, key, base_url)

        # Version 1's operation, so that a key means the same before and after an upgrade.
        steps = Steps(self._ctx, f"repeat {verification.id}", wanted, base_url)
        return self._step(steps, caller, verification, body, idempotency_key, act)

    def _step(
        self,
        steps: Steps,
        caller: Caller,
        verification: Verification,
        body: str | None,
        idempotency_key: str | None,
        act: Act,
    ) -> Stepped:
        """One more step of a live verification, or the answer again that its Idempotency-Key had."""
        ctx = self._ctx
        key = steps.key(caller.key_id if caller.is_key else verification.id, idempotency_key, body)
        if key and (known := steps.replay(key, body)):
            return Stepped(known.verification, replayed=True)
        ctx.require_pending(verification)
        switch.refuse_if_mismatched(verification)
        try:
            stepped, skipped = act(key)
            return Stepped(stepped, skipped=skipped)
        except Taken as taken:
            if not isinstance(taken.claim, IdempotencyKey):
                raise
            return Stepped(steps.replay_now(key, body).verification, replayed=True)
        except Blocked:
            raise blocked() from None
        except LimitReached as reached:
            raise rate_limited(reached) from None
        except Stale:
            if key and (known := steps.replay(key, body)):
                return Stepped(known.verification, replayed=True)
            ctx.require_pending(ctx.fresh(verification))
            if key:
                raise errors.IdempotencyInProgress(IN_PROGRESS, retry_after=1) from None
            raise errors.RepeatTooSoon(
                "Another request of this verification is in progress. Retry after `retry_after` seconds.", retry_after=1
            ) from None

    def cancel(self, caller: Caller, verification_id: str, body: str | None) -> Verification:
        """End a pending verification. Raises VerificationNotPending."""
        verification = self._ctx.visible(caller, verification_id, Scope.WRITE, client_token=False)
        requests.parse_nothing(body)
        return cancel.cancel(self._ctx, verification, caller.name)

    def door(self, caller: Caller, owner: str, base_url: str) -> Door:
        """Verifications of one owner in the API of a front door."""
        from callverify.service.doors import Door

        def again(verification_id: str) -> Verification:
            return self.repeat(caller, verification_id, None, idempotency_key=None, base_url=base_url).verification

        return Door(self._ctx, caller, owner, base_url, repeat=again)

    def report(self, request: webhooks.Request) -> webhooks.Answer:
        """Take a provider's report: what it is answered with. Raises NotFound, Forbidden, InvalidRequest."""
        return webhooks.report(self._ctx, self._ctx.lane(Mode.LIVE), request)

    def follow_up(self, message: FollowUp) -> tuple[FollowUp, int] | None:
        """Ask the provider, or end the window; what is to be done next, and in how many seconds: see `follow_up`."""
        return follow_up.follow_up(self._ctx, message)

    def events(self, caller: Caller, after: str | None, limit: str | None) -> Mapping[str, object]:
        """One page of events: see `events.page`."""
        return events.page(self._ctx, caller, after, limit)
