"""Reports of providers: hints, after which the provider is asked, and proofs."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.phone import language_of, readings
from callverify.domain.questions import after_report
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import CallReport, InboundWebhook, Status, Verdict
from callverify.providers.base import Line, Per
from callverify.service.context import Context, is_id
from callverify.service.follow_up import FollowUp
from callverify.service.lane import Lane
from callverify.service.read_back import read_back
from callverify.store import Stale, Taken

NO_SUCH_WEBHOOK = "There is no such webhook."


@value
class Request:
    """A provider's request to us.

    parameters: reads those of query and body, however often each is given; raises InvalidRequest where they can't be
    read, and is called once the path is known to be ours. header: the text of a header, empty without it. base_url:
    what links to this API begin with.
    """

    provider: str
    rest: Sequence[str]  # the segments of the path after it
    parameters: Callable[[], Mapping[str, tuple[str, ...]]]
    header: Callable[[str], str] = lambda _: ""
    base_url: str = ""


@value
class Answer:
    body: str
    content_type: str = "text/plain"


def report(ctx: Context, lane: Lane, request: Request) -> Answer:
    """Take a provider's report, and return what it is answered with. What has no bearing on anything is ignored.

    Raises NotFound, Forbidden, InvalidRequest.
    """
    name = request.provider.replace("-", "_")  # version 1 wrote one of them with a dash
    line = next((line for line in lane.lines(None) if line.provider == name and line.route.webhook), None)
    if line is None or line.route.webhook is None:
        raise errors.NotFound(NO_SUCH_WEBHOOK)
    hook, verification_id = line.route.webhook, _open_path(ctx, lane, line, request.rest)
    url = ctx.webhook_url(name, verification_id, request.base_url) if verification_id else ""
    parameters = _readable(lane, line, request)
    try:
        heard = line.client.open_webhook(
            InboundWebhook(parameters, verification_id, url, request.header(hook.signature) if hook.signature else "")
        )
    except errors.Forbidden:
        _count_forged(lane, line, "signature")
        raise
    if not heard:
        lane.observer.count("OtherWebhooks", provider=line.provider, method=line.method)
    deadline = ctx.deadline(VENDOR_SECONDS)
    for each in heard:
        if deadline.remaining() <= 0:  # of a post with many: follow-ups ask about the rest
            break
        if each.wants_code:
            return _say_code(ctx, lane, line, each)
        hear = _hear_hint if each.evidence is None else _hear_proof
        try:
            hear(ctx, lane, line, each)
        except errors.NotFound:  # erased meanwhile
            _count(lane, line, "LateWebhooks")
    return Answer(hook.answer, hook.content_type)


def _readable(lane: Lane, line: Line, request: Request) -> Mapping[str, tuple[str, ...]]:
    try:
        return request.parameters()
    except errors.InvalidRequest:
        lane.observer.count("UnreadableWebhooks", provider=line.provider)
        raise


def _open_path(ctx: Context, lane: Lane, line: Line, rest: Sequence[str]) -> str | None:
    """The verification that the path names, if the webhook is one for each. The token must be ours."""
    per = line.manifest.webhook.per if line.manifest.webhook else None
    verification_id: str | None = None
    if per is Per.VERIFICATION and len(rest) == 2:
        verification_id, given = rest
        expected = ctx.keys.webhook_token(verification_id)
        if is_id(verification_id):
            ctx.observer.about(verification_id)
    elif per is Per.ACCOUNT and len(rest) == 1:
        given, expected = rest[0], line.webhook_token
    else:
        raise errors.NotFound(NO_SUCH_WEBHOOK)
    if not expected or not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        _count_forged(lane, line, "token")
        raise errors.NotFound(NO_SUCH_WEBHOOK)
    return verification_id


def _hear_hint(ctx: Context, lane: Lane, line: Line, heard: CallReport) -> None:
    now = ctx.now()
    named = heard.verification_id or ctx.store.verification_of_call(line.provider, heard.call_id or "-", now)
    verification = ctx.store.get(named or "", now)
    if verification is not None:
        ctx.observer.about(verification.id)
    if verification is None or not verification.is_live(now) or not _is_of(line, verification):
        _count(lane, line, "LateWebhooks")
    elif heard.call_id is None or verification.call_id not in (None, heard.call_id):
        _count(lane, line, "StrayWebhooks")
    else:
        _ask_about(ctx, lane, line, verification, heard.call_id)


def _ask_about(ctx: Context, lane: Lane, line: Line, verification: Verification, call_id: str) -> None:
    """Ask at once, and where that confirms nothing again a little later; what is reported meanwhile starts nothing."""
    try:
        noted = ctx.store.apply(transitions.note_report(verification, call_id, now=ctx.now()), ctx.now())
    except Stale:
        fresh = ctx.fresh(verification)
        if verification.call_id is None and fresh.call_id == call_id and fresh.is_live(ctx.now()):
            return _ask_about(ctx, lane, line, fresh, call_id)
        return _count(lane, line, "DuplicateWebhooks")
    if noted.call_id is None or not line.route.read_back:
        return None
    if read_back(ctx, lane, line, noted).status is Status.PENDING:
        follow_up = FollowUp(noted.id, noted.attempt.number, after_report(ctx.now()))
        ctx.later(follow_up.text(), follow_up.ask_at[0] - ctx.now())
    return None


def _say_code(ctx: Context, lane: Lane, line: Line, heard: CallReport) -> Answer:
    """Tell the called person, who has pressed a key, the code of the current attempt."""
    hook, verification = line.manifest.webhook, ctx.store.get(heard.verification_id or "", ctx.now())
    code = line.route.code
    if hook is None or hook.say is None or code is None or verification is None or not verification.is_live(ctx.now()):
        _count(lane, line, "LateWebhooks")
    elif not _is_of(line, verification) or verification.call_id not in (None, heard.call_id):
        _count(lane, line, "StrayWebhooks")
    else:
        _count(lane, line, "KeyPresses")
        language = language_of(verification.locale, verification.phone_mask)
        return Answer(hook.say(lane.code(verification, code.digits), language), hook.content_type)
    return Answer(hook.answer if hook else "", hook.content_type if hook else "text/plain")


def _hear_proof(ctx: Context, lane: Lane, line: Line, heard: CallReport) -> None:
    now = ctx.now()
    verification = _live_at(ctx, line, heard.caller or "", now)
    if verification is None:
        return _count(lane, line, "LateWebhooks")
    ctx.observer.about(verification.id)
    if heard.occurred_at is None or not verification.attempt.at <= heard.occurred_at <= verification.expires_at:
        _count_forged(lane, line, "time")
        raise errors.Forbidden("The call's time lies outside the verification's window.")
    if heard.evidence is None or heard.verdict is not Verdict.CONFIRMED:
        return None
    change = transitions.verify(verification, heard.evidence, now=now)
    try:
        verified = ctx.store.apply(change, now, lane.claims.verified(change, line, occurred_at=heard.occurred_at))
    except (Stale, Taken):
        return _count(lane, line, "DuplicateWebhooks")
    return ctx.count_end("Verified", verified)


def _live_at(ctx: Context, line: Line, caller: str, now: int) -> Verification | None:
    """The live verification at this provider of the phone that called."""
    for number in readings(caller):
        verification_id = ctx.store.live_verification_id(ctx.keys.hash_phone(number), now)
        verification = ctx.store.get(verification_id, now) if verification_id else None
        if verification and verification.is_live(now) and _is_of(line, verification):
            return verification
    return None


def _is_of(line: Line, verification: Verification) -> bool:
    return (verification.provider, verification.method) == (line.provider, line.method)


def _count(lane: Lane, line: Line, metric: str) -> None:
    lane.observer.count(metric, provider=line.provider, method=line.method)


def _count_forged(lane: Lane, line: Line, cause: str) -> None:
    lane.observer.count("ForgedWebhooks", provider=line.provider, cause=cause)
