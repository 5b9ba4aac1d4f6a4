"""What the vendors say, each through what its manifest declares."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from callverify.domain.errors import CallverifyError
from callverify.domain.phone import parse_phone, readings
from callverify.domain.words import CallOrder, Deadline, Outcome, Verdict
from callverify.providers.account import AccountRefused, account_at
from callverify.providers.base import Line, Per
from callverify.service.webhooks import NO_SUCH_WEBHOOK
from cli.doctor.stack import CLOCK_TOLERANCE_SECONDS, HTTP_SECONDS, Configured, Finding, Stack, State, get, problem

PUBLIC_BASE_URL = "PublicBaseUrl (empty: BaseUrl) must reach this API from the internet, without a redirect"


def check_accounts(stack: Stack) -> Iterator[Finding]:
    for name, configured in stack.providers().items():
        check = f"account {name}"
        try:
            account = account_at(name)(configured.given, configured.base_url)
        except AccountRefused as error:
            fix = (
                f"secret {stack.name}/provider-credentials, {name}: compare it with the vendor's cabinet. "
                "If the vendor allows only listed IP addresses, add this machine's"
            )
            yield Finding(check, State.FAULT, str(error), fix)
            continue
        says = f"accepted, {account.balance:.2f} {account.currency} left"
        if account.has_money:
            yield Finding(check, State.OK, says)
        else:
            yield Finding(check, State.FAULT, says, "no money: top up the account in the vendor's cabinet")
        if account.time is not None:
            ahead = account.time - time.time() - stack.aws_ahead
            if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
                fix = "tell the vendor: a signed report is refused if its time is outside the attempt's"
                yield Finding(f"clock {name}", State.FAULT, f"{ahead:+.0f} s off AWS's", fix)


def check_webhooks(stack: Stack) -> Iterator[Finding]:
    for name, configured in stack.providers().items():
        webhook = configured.manifest.webhook
        if webhook is None:
            continue
        if webhook.per is Per.VERIFICATION:
            yield _verification_webhook(stack, name)
        else:
            yield _account_webhook(stack, name, configured)


def _verification_webhook(stack: Stack, name: str) -> Finding:
    """A made-up token: the service itself, and nothing before it, has to refuse it."""
    check, log = f"webhook {name}", f"the log /aws/lambda/{stack.name}/receive-webhook"
    answer = get(f"{stack.base_url}/webhooks/{name}/vrf_doctor/{secrets.token_urlsafe(8)}")
    if isinstance(answer, str):
        return Finding(check, State.FAULT, answer, PUBLIC_BASE_URL)
    if answer.status_code == 404 and problem(answer).get("detail") == NO_SUCH_WEBHOOK:
        return Finding(check, State.OK, f"{urlsplit(stack.base_url).netloc} reaches this API")
    ours = answer.status_code >= 500 and "code" in problem(answer)
    says = f"answered {answer.status_code}, not this API's 404"
    return Finding(check, State.FAULT, says, log if ours else f"{PUBLIC_BASE_URL}; then {log}")


def _account_webhook(stack: Stack, name: str, configured: Configured) -> Finding:
    """The account's own token opens it. That an empty report is then taken or refused is the provider's affair."""
    check = f"webhook {name}"
    answer = get(f"{stack.base_url}/webhooks/{name}/{configured.lines[0].webhook_token}")
    if isinstance(answer, str):
        return Finding(check, State.FAULT, answer, PUBLIC_BASE_URL)
    if answer.status_code == 200 or problem(answer).get("code") in ("invalid_request", "forbidden"):
        title = configured.manifest.title
        return Finding(check, State.OK, f"accepts callbacks; only a real call can show whether {title} sends them here")
    fix = (
        f"{name}.webhook_token was changed less than SecretCacheSeconds ago, or PublicBaseUrl belongs to another stack"
    )
    return Finding(check, State.FAULT, f"answered {answer.status_code}", fix)


def check_pending_replies(stack: Stack) -> Iterator[Finding]:
    """While it waits, a vendor must not name the claimed phone as the caller without saying that it waits."""
    for name, configured in stack.providers().items():
        for line in configured.lines:
            if line.route.read_back and not line.route.paid:
                yield _pending_reply(f"pending reply {name}", line, stack.phone_for(configured))


def _pending_reply(check: str, line: Line, named: str) -> Finding:
    if not named:
        return Finding(check, State.SKIPPED, "add --phone with a mobile number +7…; it doesn't ring")
    try:
        phone = parse_phone(named, default_country="RU", allowed_countries=["RU"])
    except CallverifyError as error:
        return Finding(check, State.FAULT, error.detail, "--phone: a Russian mobile number")
    order = CallOrder(phone, line.method, unique=secrets.token_hex(8))
    outcome = line.client.start(order, Deadline.after(HTTP_SECONDS))
    if outcome.outcome is not Outcome.STARTED or outcome.call_id is None:
        words = outcome.vendor_words or outcome.reason or ""
        says = f"no call was started: {outcome.outcome}, {words}"
        return Finding(check, State.FAULT, says, f"vendors/{line.provider}/README.md")
    report = line.client.check(outcome.call_id, Deadline.after(HTTP_SECONDS))
    if report.verdict is Verdict.PENDING:
        return Finding(check, State.OK, "reports the call as pending")
    fix = f"parameter ProviderOrder: remove {line.provider}, and tell the vendor"
    if report.verdict is Verdict.UNSTATED and phone.e164 in readings(report.caller or ""):
        says = "it reports the phone as the caller, without a status, though nobody has called"
        return Finding(check, State.FAULT, says, fix)
    return Finding(check, State.FAULT, f"{report.verdict} before anybody called", fix)
