"""What every history of a verification has in common, whatever happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callverify.domain.history import history
from callverify.domain.questions import planned_in_test
from callverify.domain.verification import Verification
from callverify.domain.words import Mode, Outcome, Reason, Status
from callverify.providers import registry
from callverify.providers.names import NAMES
from callverify.service.lane import live_questions
from tests.support.document import violations_of

ENDS = {status.value for status in Status} - {Status.PENDING}


def judge(record: Verification, now: int) -> str:
    """Judge a record's history: told in one line."""
    asked = planned_in_test(record) if record.mode is Mode.TEST else live_questions(record, registry.route)
    entries = history(record, now, asked)
    status, _ = record.status_at(now)
    attempts = [{"outcome": attempt.outcome} for attempt in record.attempts]
    seen = {"id": record.id, "status": status, "evidence": record.evidence, "attempts": attempts}
    told = judge_entries(entries, seen)
    if record.provider in NAMES:  # not that of a vendor made up for a test
        assert violations_of({"id": record.id, "history": entries}, "History") == [], told
    whats = [each["what"] for each in entries]
    assert whats.count("repeated") + whats.count("switched") == len(record.steps) - 1, told
    assert record.phone_hash not in told, told
    return told


def judge_entries(entries: Sequence[Mapping[str, Any]], resource: Mapping[str, Any]) -> str:
    """Judge entries beside the resource as it was read with them: told in one line."""
    told = f"{resource['id']}: " + ", ".join(f"{each['what']} by {each['by']}" for each in entries)
    whats = [each["what"] for each in entries]
    assert whats[0] == "created", told
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries), told
    # Where an attempt was interrupted, no answer is on record.
    answered = [each for each in resource["attempts"] if each["outcome"] != Outcome.STARTING]
    answered = [each for each in answered if each.get("reason") != Reason.INTERRUPTED]
    assert whats.count("provider_answered") == len(answered), told
    status = resource["status"]
    assert [what for what in whats if what in ENDS] == ([] if status == Status.PENDING else [status]), told
    if status == Status.VERIFIED:
        assert whats[-1] == Status.VERIFIED, told
        # What proved it is told just before.
        proof = {"code_matched": "code_checked", "vendor_code_matched": "code_checked"}
        proof |= {"provider_read_back": "provider_asked", "provider_signature": "report_received"}
        assert proof[resource["evidence"]] in whats, told
    assert "None" not in told, told
    return told
