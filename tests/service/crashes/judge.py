"""What holds at every moment of every history, and at its end."""

from __future__ import annotations

import itertools
import json
import struct
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from callverify.domain import errors
from callverify.domain.steps import Attempt, StepKind
from callverify.domain.verification import Verification
from callverify.domain.view import resource
from callverify.domain.words import Evidence, Mode, Outcome, Reason, Status
from callverify.providers.base import Identifies, Route
from callverify.providers.sandbox import TEST_NUMBERS
from callverify.service.policy import HOLD_SECONDS, VERIFIED_HOLD_SECONDS
from callverify.service.service import Stepped
from callverify.service.started import Started
from tests.support import histories
from tests.support.service import TABLE
from tests.support.vendors import FakeVendor, Mood

if TYPE_CHECKING:
    from tests.service.crashes.world import Answer, World

PHONES = ("+79000000021", "+79000000022")
COOLDOWN = 20 + 8  # at its longest: counted from the start, with the time that the vendor may take
NO_CALL = (Outcome.REJECTED, Outcome.UNAVAILABLE)
# All that a key of mode `test` leaves in the table: no limit, no lock, no hold, no guess.
OF_TEST_MODE = {"verification", "idempotency", "events", "event", "events_of", "limit"}


class Judge:
    """Of one world. Called, it judges what holds at every moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        # By name as well where the world no longer has them: what they were paid for is paid.
        self._vendors: dict[str, FakeVendor] = {vendor.name: vendor for vendor in world.vendors}
        self._phones = {world.keys.hash_phone(phone): phone for phone in (*PHONES, *TEST_NUMBERS)}
        self._ends_read: dict[str, Any] = {}
        self._answers: dict[tuple[str, str], str | None] = {}
        # By verification and attempt: provider, phone, number and call id, and from when until when they are held.
        self._shown: dict[tuple[str, int], tuple[str, str, list[str], int, int]] = {}

    def __call__(self) -> None:
        records = self.world.records()
        if self.world.tests:
            self._judge_test_mode(records)
        items = {str(pk): item for pk, item in self.world.rows.tables[TABLE].items()}
        paid = Counter(itertools.chain.from_iterable(vendor.paid for vendor in self._vendors.values()))
        live: Counter[str] = Counter()
        for verification in records:
            self._judge_end(verification)
            self._judge_attempts(verification)
            self._judge_payments(verification, paid)
            self._judge_evidence(verification)
            histories.judge(verification, int(self.world.now))
            live[verification.phone_hash] += verification.is_live(self.world.now)
        assert not paid, f"paid for without an intention on record: {paid}"
        for phone_hash in self._phones if not self.world.tests else ():
            assert live[phone_hash] <= 1
            self._judge_lock(items.get(f"phone#{phone_hash}"))
        self._judge_holds(records)
        self._judge_counts(records, items)

    def phone_of(self, verification: Verification) -> str:
        return self._phones[verification.phone_hash]

    def _route(self, attempt: Attempt) -> Route:
        return self._vendors[attempt.provider].route(attempt.method)

    def _judge_test_mode(self, records: list[Verification]) -> None:
        heard = self.world.observer
        assert not any(vendor.asked for vendor in self._vendors.values()), "a vendor was asked for a test number"
        assert (heard.counts, heard.values, heard.answers) == ([], [], []), "a test counts in no metric of business"
        assert all(record.mode is Mode.TEST for record in records)
        rows = self.world.rows.tables[TABLE]
        assert {pk.partition("#")[0] for pk in rows} <= OF_TEST_MODE
        # No limit counts: the item of one notes when the phone started last, for an erasure to know.
        assert all(item.keys() <= {"pk", "started", "ttl"} for pk, item in rows.items() if pk.startswith("limit#"))

    def _judge_end(self, verification: Verification) -> None:
        end = verification.status_at(self.world.now)
        if end[0] is not Status.PENDING:
            assert self._ends_read.setdefault(verification.id, end) == end, "another end than was read before"
        assert (verification.evidence is None) == (verification.status is not Status.VERIFIED)

    def _judge_attempts(self, verification: Verification) -> None:
        shown = [attempt["outcome"] for attempt in resource(verification, self.world.now)["attempts"]]
        over = shown if verification.status_at(self.world.now)[0] is not Status.PENDING else shown[:-1]
        assert Outcome.STARTING not in over, "what became of an attempt that is over is not told"
        if verification.step.done:
            assert verification.attempt.outcome is not Outcome.STARTING
        for attempt in verification.attempts[:-1]:
            assert attempt.step <= verification.step.number

    def _judge_payments(self, verification: Verification, paid: Counter[str]) -> None:
        for step in verification.steps:
            calls, paid_for = list[Attempt](), None
            for attempt in (each for each in verification.attempts if each.step == step.number):
                times = paid.pop(f"{verification.id}-{attempt.number}", 0)
                assert times <= 1, f"paid for {times} times: {attempt}"
                is_paid = self._route(attempt).paid
                assert not (is_paid and paid_for), f"a paid call after one that may ring: {paid_for}, {attempt}"
                if is_paid and (times or attempt.outcome not in NO_CALL):
                    paid_for = attempt
                if times:
                    # A number that may mean an earlier verification of this phone was lent, and shown to nobody.
                    held = attempt.reason is Reason.HELD and not is_paid
                    assert held or attempt.outcome not in NO_CALL, f"paid for after all: {attempt}"
                    calls.append(attempt)
            # Only a call whose answer never came, or that is shown to nobody, is followed by another.
            for attempt in calls[:-1]:
                assert attempt.outcome is Outcome.UNKNOWN or attempt.reason is Reason.HELD, f"a call too many: {calls}"
        repeats = sum(step.kind is StepKind.REPEAT for step in verification.steps)
        made = sum(
            unique.rpartition("-")[0] == verification.id
            for vendor in self._vendors.values()
            for unique in vendor.repeated
        )
        assert made <= repeats, "more of the vendor's own repeats than were accepted"

    def _judge_evidence(self, verification: Verification) -> None:
        if verification.status is not Status.VERIFIED or self.world.tests:
            return
        attempt, phone = verification.attempt, self.phone_of(verification)
        vendor = self._vendors[attempt.provider]
        match verification.evidence:
            case Evidence.CODE_MATCHED | Evidence.VENDOR_CODE_MATCHED:
                assert f"{verification.id}-{attempt.number}" in vendor.rung
                code = self._route(attempt).code
                assert code is not None
                assert code.ours == (verification.evidence is Evidence.CODE_MATCHED)
            case Evidence.PROVIDER_READ_BACK:
                assert verification.call_id is not None
                awaited = vendor.awaited[verification.call_id]
                assert (awaited.dialed, awaited.phone) == (True, phone)
            case Evidence.PROVIDER_SIGNATURE:
                times = [ts for signed_for, ts in vendor.signed if signed_for == phone]
                assert any(attempt.at <= ts <= verification.expires_at for ts in times)
            case _:
                raise AssertionError("verified by nothing")

    def _judge_lock(self, lock: Mapping[str, Any] | None) -> None:
        if lock is None:
            return
        holder = self.world.record(lock["verification_id"]["S"])
        assert int(lock["expires_at"]["N"]) == holder.expires_at
        assert holder.status is Status.PENDING, "locked by a verification that has ended"

    def _judge_holds(self, records: list[Verification]) -> None:
        """Where a vendor knows calls by phone alone, no session is asked for while another's call may still come."""
        asked: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        for each in records if not self.world.tests else ():
            for attempt in each.attempts:
                if self._route(attempt).identifies is not Identifies.BY_PHONE or attempt.outcome in NO_CALL:
                    continue
                over = attempt.at + self._vendors[attempt.provider].windows[attempt.method] + HOLD_SECONDS
                if each.verified_at is not None and attempt is each.attempt:
                    over = each.verified_at + VERIFIED_HOLD_SECONDS
                asked.setdefault((attempt.provider, each.phone_hash), []).append((attempt.at, over, each.id))
        for each in records if not self.world.tests else ():
            self._note_shown(each)
        shown: dict[tuple[str, str, str], list[tuple[int, int, str]]] = {}
        for (id_, _), (provider, phone, names, at, over) in self._shown.items():
            for name in names:
                shown.setdefault((provider, phone, name), []).append((at, over, id_))
        for times in [*asked.values(), *shown.values()]:
            for (_, over, earlier), (at, _, later) in itertools.pairwise(sorted(times)):
                assert earlier == later or at >= over, f"{later} may be verified by a call for {earlier}"

    def _note_shown(self, verification: Verification) -> None:
        """What this phone was shown at a vendor that tells calls apart, and the id by which we know the call."""
        attempt, challenge = verification.attempt, verification.challenge
        if not challenge or not challenge.number or self._route(attempt).identifies is Identifies.BY_PHONE:
            return
        names = [challenge.number, *([f"id {verification.call_id}"] if verification.call_id else [])]
        over = attempt.at + self._vendors[attempt.provider].windows[attempt.method] + HOLD_SECONDS
        if verification.verified_at is not None:
            over, names = verification.verified_at + VERIFIED_HOLD_SECONDS, names[:1]
        at = verification.answered_at or attempt.at
        phone = verification.phone_hash
        self._shown[verification.id, attempt.number] = (attempt.provider, phone, names, at, over)

    def _judge_counts(self, records: list[Verification], items: Mapping[str, Any]) -> None:
        """Of calls that may be paid for, never fewer are counted than were made, whatever was given back."""
        if self.world.tests:
            return
        paid = [
            attempt.at
            for each in records
            for attempt in each.attempts
            if self._route(attempt).paid and f"{each.id}-{attempt.number}" in self._vendors[attempt.provider].paid
        ]
        counted = {pk.split("#")[1]: item for pk, item in items.items() if pk.startswith("limit#")}
        made = len(paid) + sum(len(vendor.repeated) for vendor in self._vendors.values())
        assert not made or int(counted["key_paid_day"]["n"]["N"]) >= made
        sealed = counted.get("prefix_10m")
        content = self.world.keys.unseal(sealed["sealed"]["S"]) if sealed else b""
        times = struct.unpack(f">{len(content) // 4}I", content)
        missing = Counter(at for at in paid if at > self.world.now - 600) - Counter(times[: len(times) // 2])
        assert not missing, f"calls to the block that are not counted: {missing}"

    def compare_with_first(self, key: str | None, answer: Answer) -> None:
        """Under one Idempotency-Key: one verification, one client token, and the same answer every further time."""
        if key is None:
            return
        if isinstance(answer, Started | Stepped):
            told, code = answer.verification.id, None
            if isinstance(answer, Started):
                token = self._answers.setdefault((key, "client token"), answer.client_token)
                assert token == answer.client_token
        elif isinstance(answer, errors.ProviderRejected | errors.ProviderUnavailable):
            told, code = answer.verification_id or "", answer.code
        else:
            return
        assert self._answers.setdefault((key, "id"), told) == told
        if answer.replayed:  # one that was overtaken answers to nobody any more
            assert self._answers.setdefault((key, "code"), code) == code

    # The end of a history

    def finish(self, *, publish: bool = False) -> None:
        """Everybody stops, and time passes: all has ended, once, and its phone is free again.

        publish: take what is left of the table's stream as well, and judge the list of events.
        """
        world, history = self.world, self.world.history
        for vendor in self._vendors.values():
            vendor.mood = Mood.WELL
            vendor.moods.clear()
            vendor.numbers = vendor.call_ids = 0
        for verification in world.records():
            self._follow_up_to_the_end(verification)
        ends = Counter(each for each, status in history.transitions.elements() if status is not Status.PENDING)
        assert ends == Counter(history.records.keys())
        if publish:
            while history.unpublished:
                world.publish()
            self._judge_events()
        for phone in {self.phone_of(verification) for verification in world.records()}:
            self._judge_freed(phone)

    def _follow_up_to_the_end(self, verification: Verification) -> None:
        again = self.world.follow_up(verification.id)
        for _ in range(9):
            if again is None:
                break
            assert isinstance(again, int), again
            self.world.advance(again)
            again = self.world.follow_up(verification.id)
        assert self.world.record(verification.id).status is not Status.PENDING

    def _judge_events(self) -> None:
        world, told = self.world, list[tuple[str, str]]()
        found, latest = world.store.events_after(world.caller.mode, 0, limit=100, now=int(world.now))
        assert [number for number, _ in found] == list(range(latest - len(found) + 1, latest + 1))
        for _, text in found:
            event = json.loads(text)
            told.append((event["data"]["id"], event["type"].removeprefix("verification.")))
        for verification in world.records():
            mine = [kind for each, kind in told if each == verification.id]
            agreed = sum(attempt.outcome is Outcome.STARTED for attempt in verification.attempts)
            late = (
                verification.answered_at == verification.ended_at and verification.expires_at > verification.attempt.at
            )
            if verification.status is Status.EXPIRED and late:
                agreed -= 1  # after its window, whose end the answer was
            assert mine == ["created", *["started"] * agreed, verification.status]

    def _judge_freed(self, phone: str) -> None:
        world = self.world
        if world.tests:
            return
        mine = [each for each in world.records() if self.phone_of(each) == phone]
        ended = [min(each.expires_at, each.ended_at or each.expires_at) for each in mine]
        # An end bears the time at which it was decided: a step may have been taken between that and its write.
        asked = [step.claimed_at for each in mine for step in each.steps]
        world.reach(max([*ended, *asked]) + COOLDOWN)
        free = (line for line in world.lines() if line.route.identifies is not Identifies.BY_PHONE)
        if line := next(free, None):
            answer = world.start(phone=phone, provider=line.provider, method=line.method)
            assert isinstance(answer, Started), f"no new start of the phone: {answer!r}"
