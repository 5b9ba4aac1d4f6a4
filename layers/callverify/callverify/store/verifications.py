"""The store: verifications, and how a change of one is written together with all that it takes.

Items, by the prefix of `pk`. All but those that say so carry `ttl`, which only sweeps: an item whose end has
passed is ignored.

    verification#<id>            the record, or that it was erased, when and by which key
    events_of#<id>               the numbers of its events, and whether they are erased
    phone#<hash>                 which live verification a phone has: lock and pointer
    <provider>#<hash>            that a call of this phone may still be reported by a provider that knows phones alone
    hold#<provider>#<hash>#<n>   that this phone was shown this number by a provider
    call#<provider>#<id>         which verification a vendor's call is for
    guesses#<hash>               wrong guesses against this phone, until 24 h after the last
    vendor_guesses#<hash>        those of them that were of codes that a vendor had picked
    limit#<name>#<subject>       a limit of starts; that of phone_10m has the phone's cooldown, and its block (no `ttl`)
    idempotency#<hash>           which verification and step an Idempotency-Key started
    signed_call#<hash>#<ts>      a signed report that has been used
    pointer#<key>#<owner>#<hash> the last verification with a code of a phone, by an API key for an owner
    used#<id>                    that a verified one was used as a proof, or approved at a front door: once
    breaker#<provider>           that a provider keeps failing, and until when it is asked last
    events#<mode>                the number of the latest event, until when it is kept, and numbers at which events are
                                 still being put; without `ttl`
    event#<mode>#<number>        an event, or without a body that none will have this number
    pepper                       the fingerprint of the one pepper that is at work; without `ttl`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from callverify.domain.claims import (
    Claim,
    CoolDown,
    Counted,
    GiveBack,
    IdempotencyKey,
    KnowCall,
    MoveLock,
    PointTo,
    ReleaseHold,
    ReleaseLock,
    ReturnGuess,
    ShortenHold,
    SpendGuess,
    TakeHold,
    TakeLock,
    Unblocked,
    Unless,
    UseCall,
)
from callverify.domain.errors import Busy, busy
from callverify.domain.limits import GuessLimit, Limit
from callverify.domain.questions import AFTER_REPORT
from callverify.domain.verification import CLIENT_TOKEN_SECONDS, Change, Verification
from callverify.domain.view import carried_over, numbered, revised
from callverify.domain.words import DAY, Status
from callverify.store import counters, table
from callverify.store.blocks import check_unblocked, note_start
from callverify.store.calendar import CalendarCounters, outside
from callverify.store.items import Item, attributes, difference, verification_of
from callverify.store.table import CONFLICT_RETRIES, NOTHING, Forms, Lost, Outdated, Stale, Table, Taken, Write


class Overtaken(Lost):
    """Another write has taken the revision that this one was to have, and made the record what it is in `item`."""


class Verifications:
    """Times are arguments, in epoch seconds. A record stays readable `retention` seconds after its client token."""

    def __init__(self, rows: Table, *, retention: int = DAY) -> None:
        self._table = rows
        self._calendar = CalendarCounters(rows)
        self._retention = retention

    def get(self, verification_id: str, now: int) -> Verification | None:
        """The verification, unless its retention is over. One consistent read."""
        item = self._table.read(f"verification#{verification_id}")
        return verification_of(item) if item and item["ttl"] > now else None

    def get_many(self, verification_ids: Sequence[str], now: int) -> list[Verification]:
        """Those of up to 100 verifications that are kept, in this order. One consistent request."""
        items = self._table.read_many(f"verification#{each}" for each in verification_ids)
        kept = (items.get(f"verification#{each}") for each in verification_ids)
        found = (verification_of(item) for item in kept if item and item["ttl"] > now)
        return [each for each in found if each]

    def live_verification_id(self, phone_hash: str, now: int) -> str | None:
        """The verification that holds this phone's lock. The record decides whether it is live."""
        item = self._table.read(f"phone#{phone_hash}")
        return str(item["verification_id"]) if item and item["expires_at"] > now else None

    def verification_of_call(self, provider: str, call_id: str, now: int) -> str | None:
        """The verification that a vendor's call is for."""
        item = self._table.read(f"call#{provider}#{call_id}")
        return str(item["verification_id"]) if item and item["expires_at"] > now else None

    def pointed_to(self, key_id: str, owner: str, phone_hash: str, now: int) -> str | None:
        """The last verification with a code of a phone, by an API key for an owner."""
        item = self._table.read(_pointer(key_id, owner, phone_hash))
        return str(item["verification_id"]) if item and item["ttl"] > now else None

    def used_by(self, verification_id: str) -> str | None:
        """Whose this proof is; None where nobody has used it."""
        item = self._table.read(f"used#{verification_id}")
        return str(item["by"]) if item else None

    def idempotency_key(self, key_hash: str, now: int) -> IdempotencyKey | None:
        item = self._table.read(f"idempotency#{key_hash}")
        if not item or item["ttl"] <= now:
            return None
        return IdempotencyKey(key_hash, item["body_hash"], item["verification_id"], int(item["step"]))

    def apply(self, change: Change, now: int, claims: Sequence[Claim] = ()) -> Verification:
        """Write a change and what it takes: all of it, or nothing. Returns the record after it.

        Raises Stale, Taken or LimitReached, judged in the order: Idempotency-Key, record, `claims`.
        """
        change, found = revised(change, now), None
        for _ in range(CONFLICT_RETRIES):
            try:
                after = self._apply(change, now, claims)
            except Overtaken as other:
                found = verification_of(other.item)
                change = numbered(change, int(other.item.get("revision", 1)) + 1)
            else:
                return carried_over(change, found) if found else after
        raise busy() from TimeoutError("the record kept changing under this write")

    def _apply(self, change: Change, now: int, claims: Sequence[Claim]) -> Verification:
        keys = [claim for claim in claims if isinstance(claim, IdempotencyKey)]
        others = [claim for claim in claims if not isinstance(claim, IdempotencyKey)]
        if change.before and all(isinstance(claim, CoolDown | TakeHold | KnowCall) for claim in claims):
            return self._answer(self._record(change, now), change, now, claims)
        began = self._table.seconds()

        def first() -> list[Write]:
            # A window that has ended while we counted and read is over.
            at = now + int(self._table.seconds() - began)
            return [*(self._take_key(key, change, now) for key in keys), self._record(change, at)]

        self._write(first, others, change, now)
        return change.after

    def _answer(self, record: Write, change: Change, now: int, claims: Sequence[Claim]) -> Verification:
        """By single writes, at half the units: what is held before the record says so, and the cooldown last.

        A process that dies in between holds what nobody was shown, until that hold ends.
        """
        for write in self._claims(claims, change, now, {}):
            self._table.claim(write)
        written = verification_of(self._table.update(record)) or change.after
        self._cool_down(claims, change, now)
        return written

    def take(self, claims: Sequence[Claim], change: Change, now: int) -> None:
        """Write claims on their own, in the name of a change that was written before."""
        self._write(list, claims, change, now)

    def _write(self, first: Callable[[], Sequence[Write]], claims: Sequence[Claim], change: Change, now: int) -> None:
        """Count by the calendar, write the rest in one transaction, and give back what was no call.

        Where a counter is full, the transaction still says what is judged before it.
        """
        record, last = change.after, list[Write]()
        seed = f"{record.id} {len(record.attempts)}"
        taken, refusal = self._calendar.take(claims, seed, now)
        inside = [claim for claim in claims[: refusal[0] if refusal else None] if not outside(claim)]
        if refusal:
            reached = refusal[1]
            last = [table.check(f"limit#full#{record.id}", "attribute_exists(pk)", {}, lambda _: reached)]
        try:
            known = counters.known_forms(inside, now, self._table.read)
            self._table.adapt(lambda forms: [*first(), *self._claims(inside, change, now, forms), *last], known)
        except Lost:
            self._calendar.take_off(taken)
            raise
        self._calendar.give_back(claims, seed, now)
        self._cool_down(claims, change, now)
        for claim in claims:
            if isinstance(claim, ShortenHold) and claim.number:
                with suppress(Busy):  # it holds to its end then
                    self._table.put(_hold(claim, record, now))

    def _cool_down(self, claims: Sequence[Claim], change: Change, now: int) -> None:
        """The cooldown from the vendor's reply. Until it is written, the one from the start holds, which is longer."""
        for claim in claims:
            if isinstance(claim, CoolDown):
                with suppress(Busy, Stale):
                    self._table.update(counters.cool_down(change.after.phone_hash, claim.seconds, now))

    def use(self, verification: Verification, by: str, now: int) -> bool:
        """Whether this proof is `by`'s: nobody has used it before, or they have. Kept as long as the record.

        Only for one that is verified, which nothing changes any more.
        """
        return self._table.put(
            table.put(
                f"used#{verification.id}",
                {"by": by, "at": now, "ttl": self._ttl(verification)},
                Stale,
                condition="attribute_not_exists(pk) OR #by = :by",
                values={":by": by},
            )
        )

    def _ttl(self, verification: Verification) -> int:
        return verification.ttl or verification.created_at + CLIENT_TOKEN_SECONDS + self._retention

    def _record(self, change: Change, now: int) -> Write:
        before, after, guard = change.before, change.after, change.guard
        pk = f"verification#{after.id}"
        if before is None:
            return table.put_new(pk, {**attributes(after), "ttl": self._ttl(after)})
        read = attributes(before)
        same = ["attempt_number", "provider"]
        if guard.same_step:
            same += ["steps_count", "step_claimed_at", "attempt_outcome"]
        values = {f":{name}_read": read.get(name) for name in (*same, *guard.unchanged)}
        values |= {":pending": Status.PENDING, ":now": now}
        clauses = ["#status = :pending", *(f"{name} = :{name}_read" for name in same)]
        # One that a record of version 1 doesn't have reads as its default.
        clauses += [f"(attribute_not_exists({name}) OR {name} = :{name}_read)" for name in guard.unchanged]
        if guard.unexpired:
            clauses.append("expires_at > :now")
        if guard.expired:
            clauses.append("expires_at <= :now")
        if guard.news:
            clauses.append(
                "(attribute_not_exists(webhook_call_id) OR webhook_call_id <> :webhook_call_id OR"
                " attribute_not_exists(reported_at) OR reported_at <= :long_ago)"
            )
            # Said here too: of a report that the record read has already, it is no part of the difference.
            values |= {":webhook_call_id": after.webhook_call_id, ":long_ago": now - AFTER_REPORT[-1]}
        if after.revision != before.revision:  # each number is of one state alone
            unset = "attribute_not_exists(revision) OR " if before.revision == 1 else ""
            clauses.append(f"({unset}revision = :revision_read)")
            values[":revision_read"] = before.revision

        def lost(item: Item) -> Lost:
            found = item.get("revision", 1)
            return Overtaken(item) if item and after.revision != before.revision != found else Stale(item)

        return table.change(pk, difference(before, after), " AND ".join(clauses), values, lost)

    def _take_key(self, key: IdempotencyKey, change: Change, now: int) -> Write:
        item = {
            "body_hash": key.body_hash,
            "verification_id": change.after.id,
            "step": change.after.step.number,
            "ttl": self._ttl(change.after),
        }
        return table.put(
            f"idempotency#{key.key_hash}",
            item,
            lambda item: Taken(key, item),
            condition="attribute_not_exists(pk) OR #ttl <= :now",
            values={":now": now},
        )

    def _claims(self, claims: Sequence[Claim], change: Change, now: int, forms: Forms) -> Iterator[Write]:
        record, counted, last = change.after, list[Limit | Counted | GiveBack](), list[Write]()
        for claim in claims:
            match claim:
                case TakeLock() | MoveLock() | ReleaseLock():
                    yield _lock(claim, record, now, forms)
                case ShortenHold(number=str()):
                    pass  # after the transaction
                case TakeHold() | ShortenHold() | ReleaseHold():
                    last.append(_hold(claim, record, now))
                case KnowCall():
                    last.append(_know_call(claim, record, now))
                case CoolDown() | Unless():
                    pass  # after the transaction, and before it: see `_write`
                case Unblocked(notes_start=True):
                    yield note_start(record.phone_hash, now)
                case Unblocked():
                    yield check_unblocked(record.phone_hash)
                case SpendGuess():
                    limit = GuessLimit(record.phone_hash, claim.limit, claim.counter)
                    yield counters.spend_guess(limit, claim.id, now, forms)
                case ReturnGuess():
                    yield counters.return_guess(record.phone_hash, claim.id, claim.counter, forms)
                case UseCall():
                    yield _use_call(claim, record)
                case IdempotencyKey():
                    yield self._take_key(claim, change, now)
                case PointTo():
                    named = {"verification_id": record.id, "ttl": self._ttl(record)}
                    yield table.put(_pointer(record.key_id, record.owner or "", record.phone_hash), named, Stale)
                case other:
                    counted.append(other)
        yield from counters.count(counted, now, forms)
        yield from last


def _pointer(key_id: str, owner: str, phone_hash: str) -> str:
    return f"pointer#{key_id}#{owner}#{phone_hash}"


def _use_call(claim: UseCall, record: Verification) -> Write:
    pk = f"signed_call#{record.phone_hash}#{claim.occurred_at}"
    return table.put_new(pk, {"ttl": record.expires_at + DAY}, lambda item: Taken(claim, item))


def _lock(claim: TakeLock | MoveLock | ReleaseLock, record: Verification, now: int, forms: Forms) -> Write:
    pk, own = f"phone#{record.phone_hash}", {":id": record.id}
    match claim:
        case TakeLock():
            return _name(pk, record, record.expires_at, now, claim.dead, lambda item: Taken(claim, item))
        case MoveLock():
            until = {"expires_at": record.expires_at, "ttl": record.expires_at}
            return table.change(pk, until, "verification_id = :id", own, Stale)
    # Nothing to do where the lock already names a later verification, whose it is to remove.
    condition = "attribute_not_exists(pk) OR verification_id = :id"
    return forms.get(pk) or table.delete(pk, condition, own, lambda _: Outdated(pk, NOTHING))


def _hold(claim: TakeHold | ShortenHold | ReleaseHold, record: Verification, now: int) -> Write:
    """A later attempt of the same verification is not held by itself."""
    pk = f"{claim.provider}#{record.phone_hash}"
    if isinstance(claim, ReleaseHold):
        return table.delete(pk, "attribute_not_exists(pk) OR verification_id = :id", {":id": record.id}, Stale)
    if claim.number:
        pk = f"hold#{pk}#{claim.number}"
    return _name(pk, record, claim.until, now, record.id, lambda item: Taken(claim, item))


def _know_call(claim: KnowCall, record: Verification, now: int) -> Write:
    pk = f"call#{claim.provider}#{claim.call_id}"
    return _name(pk, record, claim.until, now, record.id, lambda item: Taken(claim, item))


def _name(
    pk: str, record: Verification, until: int, now: int, overtaken: str | None, lost: Callable[[Item], Lost]
) -> Write:
    """Have `pk` name this verification until then, unless it names another one than `overtaken`."""
    return table.put(
        pk,
        {"verification_id": record.id, "expires_at": until, "ttl": until},
        lost,
        condition="attribute_not_exists(pk) OR expires_at <= :now OR verification_id = :overtaken",
        values={":now": now, ":overtaken": overtaken or "-"},
    )
