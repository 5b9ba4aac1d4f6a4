"""Ask a provider whether the awaited call came."""

from __future__ import annotations

import hmac

from callverify.domain import verification as transitions
from callverify.domain.phone import readings
from callverify.domain.verification import Verification
from callverify.domain.words import CallReport, Evidence, Reason, Verdict
from callverify.providers.base import Line
from callverify.service.context import Context
from callverify.service.dial import timed
from callverify.service.lane import Lane
from callverify.store import Stale

READ_BACK_SECONDS = 5.0


def read_back(ctx: Context, lane: Lane, line: Line, verification: Verification) -> Verification:
    """Ask the provider by the id of our own start reply, and believe it only as far as it can be believed."""
    if verification.call_id is None:
        return verification
    call_id, deadline = verification.call_id, ctx.deadline(READ_BACK_SECONDS)
    report = timed(ctx, lane, line.provider, "check", lambda: line.client.check(call_id, deadline))
    if report.verdict is Verdict.UNREADABLE:
        lane.observer.count("VendorErrors", provider=line.provider, cause=Reason.UNREADABLE_ANSWER)
    if not _proves(ctx, lane, line, report, verification):
        return verification
    now = ctx.now()
    change = transitions.verify(verification, report.evidence or Evidence.PROVIDER_READ_BACK, now=now)
    try:
        verified = ctx.store.apply(change, now, lane.claims.verified(change, line))
    except Stale:
        return ctx.fresh(verification)
    ctx.count_end("Verified", verified)
    return verified


def _proves(ctx: Context, lane: Lane, line: Line, report: CallReport, verification: Verification) -> bool:
    if report.call_id != verification.call_id:
        return False
    if report.caller is None:
        # The id, of our own start reply, is that of a call awaited from the claimed phone alone.
        return not line.route.names_caller and report.verdict is Verdict.CONFIRMED
    callers = [ctx.keys.hash_phone(number) for number in readings(report.caller)]
    if not any(hmac.compare_digest(caller, verification.phone_hash) for caller in callers):
        lane.observer.count("WrongCaller", provider=verification.provider, method=verification.method)
        return False
    if report.verdict is Verdict.UNSTATED:
        # A vendor that echoes the claimed phone while it waits must verify nobody.
        return verification.webhook_call_id == verification.call_id
    return report.verdict is Verdict.CONFIRMED
