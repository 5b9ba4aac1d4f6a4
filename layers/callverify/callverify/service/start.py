"""Start a verification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.addresses import network_block_of
from callverify.domain.claims import Claim, IdempotencyKey, PointTo, TakeLock
from callverify.domain.value import value
from callverify.domain.verification import Change, Verification
from callverify.domain.words import Caller, Deadline, Method, Phone, Scope, Status
from callverify.providers.base import Line
from callverify.service import requests
from callverify.service.context import Context, new_id
from callverify.service.dial import Dial, Skipped, blocked
from callverify.service.started import Started, answer
from callverify.service.steps import Steps
from callverify.store import Taken


@value
class Owned:
    """What a start by a front door is for: see `owner` and `channel` of the record."""

    owner: str
    channel: str


class Start:
    """`base_url` is what links to this API begin with. owned: by a front door.

    deadline: of a caller with a time of its own, in place of VENDOR_SECONDS from where the vendor work begins. A retry
    of its request in flight waits for the answer until then: decision 121.
    """

    def __init__(
        self,
        ctx: Context,
        caller: Caller,
        base_url: str,
        deadline: Deadline | None = None,
        owned: Owned | None = None,
    ) -> None:
        ctx.require(caller, Scope.WRITE)
        self._ctx = ctx
        self._caller = caller
        self._lane = ctx.lane(caller.mode)
        self._base_url = base_url
        self._deadline = deadline
        self._owned = owned
        self._steps = Steps(ctx, "start", self._wanted, base_url, deadline)

    def __call__(self, body: str | None, idempotency_key: str | None) -> Started:
        """Raises the errors of a start, judged in this order: idempotency, validation, country, block, verification
        in progress, limits, provider.
        """
        key = self._steps.key(self._caller.key_id, idempotency_key, body)
        if key and (known := self._steps.replay(key, body)):
            return self._answer(known.verification, replayed=True)
        request = self._parse(body)
        phone, lines = self._judge(request)
        if request.end_user_ip is None:
            self._lane.observer.count("StartsWithoutEndUserIp")
        draft = self._draft(request, phone)
        if not lines:
            self._refuse_if_blocked(draft)
            self._refuse_if_in_progress(draft)
            raise errors.NoProviderAvailable(
                "No configured provider offers what `method`, `provider` and `allowed_methods` ask for."
            )
        try:
            return self._dial(draft, phone, lines, key, request.end_user_address)
        except Taken as taken:
            if not isinstance(taken.claim, IdempotencyKey):
                raise
            return self._answer(self._steps.replay_now(key, body).verification, replayed=True)
        except errors.NoProviderAvailable as error:
            if error.verification_id is None:  # the start may have written nothing, and so have judged neither
                self._refuse_if_blocked(draft)
                self._refuse_if_in_progress(draft)
            raise

    def _parse(self, body: str | None) -> requests.StartRequest:
        methods, policy = self._lane.methods(), self._ctx.policy
        return requests.parse_start(body, methods=methods, return_origins=policy.return_origins, brands=policy.brands)

    def _judge(self, request: requests.StartRequest) -> tuple[Phone, Sequence[Line]]:
        """The phone, and the lines that may be dialled for it, in the order in which they are tried."""
        wanted = [request.method] if request.method else list(request.allowed_methods)
        if request.provider:
            offered = self._lane.methods().get(request.provider, wanted)
            wanted = [method for method in wanted if method in offered]
        try:
            phone = self._lane.judge(request.phone, wanted)
        except (errors.InvalidPhone, errors.CountryNotAllowed) as refused:
            self._lane.observer.count("NumbersRefused", cause=refused.code)
            raise
        lines = [line for line in self._lane.lines(phone) if line.method in wanted]
        return phone, [line for line in lines if request.provider in (None, line.provider)]

    def _wanted(self, _: Verification, body: str | None) -> tuple[Phone, Sequence[Line]]:
        return self._judge(self._parse(body))

    def _draft(self, request: requests.StartRequest, phone: Phone) -> Verification:
        """A record without an attempt yet."""
        ctx, now, address = self._ctx, self._ctx.now(), request.end_user_ip
        block = network_block_of(address) if address else None
        return Verification(
            id=new_id(self._caller.mode),
            mode=self._caller.mode,
            status=Status.PENDING,
            method=Method.REVERSE_CALL,
            provider="",
            phone_mask=phone.mask,
            phone_hash=ctx.keys.hash_phone(phone.e164),
            key_id=self._caller.key_id,
            created_at=now,
            expires_at=now,
            attempts=(),
            steps=(),
            allowed_methods=request.allowed_methods,
            guess_limit=ctx.policy.verification_guesses,
            reference=request.reference,
            metadata=request.metadata,
            locale=request.locale,
            return_url=request.return_url,
            brand=request.brand,
            address_hash=ctx.keys.hash_address(address) if address else None,
            address_block_hash=ctx.keys.hash_address(block) if block else None,
            owner=self._owned.owner if self._owned else None,
            channel=self._owned.channel if self._owned else None,
        )

    def _dial(
        self,
        draft: Verification,
        phone: Phone,
        lines: Sequence[Line],
        key: IdempotencyKey | None,
        end_user_ip: str | None,
    ) -> Started:
        dead: str | None = None

        def opening(line: Line) -> tuple[Change, Sequence[Claim]]:
            now, ms = divmod(int(self._ctx.clock() * 1000), 1000)  # what it waits for may take its time
            fresh = replace(draft, created_at=now, created_ms=ms)
            checks = self._lane.claims.checks(line)
            by = self._caller.name
            change = transitions.begin(fresh, line.method, line.provider, window=line.window, checks=checks, by=by)
            own = [*([key] if key else ()), *self._pointer(line)]
            return change, [*own, *self._lane.claims.start(change, line, phone, dead)]

        while True:
            dial = Dial(self._ctx, self._lane, phone, self._base_url, end_user_ip, self._deadline)
            try:
                return self._answer(dial.run(lines, opening), skipped=dial.skipped)
            except Taken as taken:
                if not isinstance(taken.claim, TakeLock) or taken.item["verification_id"] == dead:
                    raise
                dead = str(taken.item["verification_id"])
                self._refuse_if_live(dead, draft)

    def _pointer(self, line: Line) -> list[Claim]:
        """Never to a reverse call, by whose id alone it is approved: decision 123."""
        if self._owned is None or line.route.code is None:
            return []
        return [PointTo()]

    def _refuse_if_blocked(self, draft: Verification) -> None:
        if self._ctx.store.is_blocked(draft.phone_hash):
            raise blocked()

    def _refuse_if_in_progress(self, draft: Verification) -> None:
        held_by = self._ctx.store.live_verification_id(draft.phone_hash, self._ctx.now())
        if held_by:
            self._refuse_if_live(held_by, draft)

    def _refuse_if_live(self, verification_id: str, wanted: Verification) -> None:
        now = self._ctx.now()
        live = self._ctx.store.get(verification_id, now)
        if live is None or not live.is_live(now):
            return
        self._refuse_if_blocked(wanted)
        own = live.key_id == wanted.key_id and live.reference is not None and live.reference == wanted.reference
        raise errors.VerificationInProgress(
            "A verification of this phone is in progress. Continue or cancel it, or retry after `retry_after` seconds. "
            "Only the API key that started it is told its id, and only with the same `reference`.",
            retry_after=max(1, live.expires_at - now),
            verification_id=live.id if own else None,
        )

    def _answer(
        self, verification: Verification, *, replayed: bool = False, skipped: Sequence[Skipped] = ()
    ) -> Started:
        return answer(self._ctx, verification, self._base_url, replayed=replayed, skipped=skipped)
