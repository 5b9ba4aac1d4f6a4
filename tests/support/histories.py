"""What every history of a verification has in common, whatever happened."""

from __future__ import annotations

from callverify.domain.history import history
from callverify.domain.questions import planned_in_test
from callverify.domain.verification import Verification
from callverify.domain.words import Mode, Outcome, Status
from callverify.providers import registry
from callverify.providers.names import NAMES
from callverify.service.lane import live_questions
from tests.support.document import violations_of

ENDS = {status.value for status in Status} - {Status.PENDING}


def judge(record: Verification, now: int) -> str:
    """Judge a record's history: told in one line."""
    asked = planned_in_test(record) if record.mode is Mode.TEST else live_questions(record, registry.route)
    entries = history(record, now, asked)
    told = f"{record.id}: " + ", ".join(f"{each['what']} by {each['by']}" for each in entries)
    whats = [each["what"] for each in entries]
    if record.provider in NAMES:  # not that of a vendor made up for a test
        assert violations_of({"id": record.id, "history": entries}, "History") == [], told
    assert entries[0]["what"] == "created", told
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries), told
    assert whats.count("provider_answered") == sum(
        attempt.outcome is not Outcome.STARTING for attempt in record.attempts
    ), told
    assert whats.count("repeated") + whats.count("switched") == len(record.steps) - 1, told
    status, _ = record.status_at(now)
    assert [what for what in whats if what in ENDS] == ([] if status is Status.PENDING else [status]), told
    if status is not Status.PENDING and record.verified_at is not None:
        assert whats[-1] == Status.VERIFIED, told
        # What proved it is told just before.
        proof = {"code_matched": "code_checked", "vendor_code_matched": "code_checked"}
        proof |= {"provider_read_back": "provider_asked", "provider_signature": "report_received"}
        assert proof[str(record.evidence)] in whats, told
    assert not any(text in told for text in (record.phone_hash, "None")), told
    return told
