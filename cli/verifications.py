"""`start`, `show`, `check`, `cancel` and `history`: one verification."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import click

from callverify.domain.words import Method
from callverify.providers.sandbox import TEST_NUMBERS
from cli.api import UNSETTLED, Api, NoAnswer, Problem
from cli.errors import Refused, on_ctrl_c
from cli.live import states
from cli.output import clock, fields, print_json, summary, without_tokens
from cli.target import LIVE, TEST, Target, as_json, on_stack

METHODS = [each.value for each in Method]


def mode_of(verification_id: str) -> str:
    return TEST if verification_id.startswith("vrf_test_") else LIVE


def path_of(verification_id: str, *more: str) -> str:
    """Raises UsageError for what can't be an id: it becomes a part of a path."""
    if not verification_id.isascii() or not verification_id.replace("_", "").isalnum():
        raise click.UsageError(f"{verification_id!r} is not a verification's id: vrf_ and 26 letters and digits.")
    return "/".join(("/verifications", verification_id, *more))


@click.command()
@click.argument("phone")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="Use only this method. Default: the service chooses, free methods first.",
)
@click.option("--provider", help="Use only this provider.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Choice(METHODS),
    help="A method that the start and its switches may use. Can be repeated.",
)
@click.option("--locale", type=click.Choice(["ru", "en"]))
@click.option("--reference", help="Your own reference. `search` finds it.")
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Repeat a start whose answer was lost: no second call is made. Default: a new key.",
)
@click.option("--page", is_flag=True, help="Print the URL of the hosted page for this verification.")
@click.option("--no-wait", is_flag=True, help="Don't wait until it ends.")
@as_json
@on_stack
def start(
    target: Target,
    phone: str,
    as_json: bool,
    page: bool,
    no_wait: bool,
    idempotency_key: str | None,
    **options: Any,
) -> None:
    """Start a verification of PHONE, and watch it until it ends.

    A flash call's or voice call's code can be typed while it is watched. A test number, such as +79000000101,
    takes the test key. With --json, each state is a line. Exits with 1 if the verification ends unverified.

    \b
    Example:
      callverify start +79000001237 --method reverse_call
    """
    api = target.api(TEST if phone in TEST_NUMBERS else LIVE)
    body = {"phone": phone, **{name: value for name, value in options.items() if value and name != "allowed"}}
    if options["allowed"]:
        body["allowed_methods"] = list(options["allowed"])
    started = _started(api, body, idempotency_key or secrets.token_hex(16))
    on_ctrl_c(f"stopped watching; the verification goes on: `callverify show {started['id']}`")
    if not as_json:
        click.echo("\n".join(_to_do(target, started, no_wait=no_wait)))
    if page and not as_json:
        click.echo(f"  page: {started['page_url']}")
    if no_wait:
        if as_json:
            print_json(_printable(started, page))
        return
    if started["challenge"] and started["challenge"]["type"] == "enter_digits" and sys.stdin.isatty():
        threading.Thread(target=_take_codes, args=(api, started["id"]), daemon=True).start()
    resource = started
    try:
        for resource in states(api, started):
            if as_json:
                print_json(_printable(resource, page))
            elif resource is not started or resource["status"] != "pending":
                click.echo(summary(resource))
    except NoAnswer as error:
        raise Refused(f"{error} The verification goes on: `callverify show {started['id']}`.") from None
    if resource["status"] != "verified":
        sys.exit(1)


def _started(api: Api, body: Mapping[str, Any], key: str) -> Any:
    """Raises Refused; where it is open whether there is a call, the message says how to find out without a second."""
    again = f"The call may have been started. To find out, repeat the command with --idempotency-key {key}"
    on_ctrl_c(f"stopped. {again}")
    try:
        return api.call("POST", "/verifications", body, idempotency_key=key)
    except (NoAnswer, Problem) as error:
        is_open = error.sent if isinstance(error, NoAnswer) else error.code in UNSETTLED
        if not is_open:
            raise
        raise Refused(f"{error} {again}") from None


def _printable(resource: Mapping[str, Any], page: bool) -> dict[str, Any]:
    shown = without_tokens(resource)
    return shown | {"page_url": resource["page_url"]} if page and "page_url" in resource else shown


def _to_do(target: Target, started: Mapping[str, Any], *, no_wait: bool) -> Iterable[str]:
    yield f"{started['id']}  {started['method']} by {started['provider']}  {started['phone']}"
    challenge = started["challenge"] or {}
    if challenge.get("type") == "call_number":
        yield f"  Call {challenge['number']} from that phone."
        if target.is_local:
            number = f"""'{{"number": "{challenge["number"]}"}}'"""
            yield f"  It is simulated: curl {target.profile['SIMULATOR_URL']}/phone/PHONE/dial -d {number}"
    elif challenge.get("type") == "enter_digits":
        digits = f"the {challenge['length']} digits"
        do = f"Type {digits} here, or check them" if sys.stdin.isatty() and not no_wait else f"Check {digits}"
        yield f"  {do} with `callverify check {started['id']} CODE`."
        if target.is_local:
            yield f"  It is simulated: {target.profile['SIMULATOR_URL']}/phone is the telephone."
    yield f"  It ends at {started['expires_at']}."


def _take_codes(api: Api, verification_id: str) -> None:
    """Check each line that is typed; that it was right, the live view shows."""
    for line in sys.stdin:
        try:
            checked = api.call("POST", path_of(verification_id, "check"), {"code": line.strip()}, has="valid")
        except Refused as refused:
            click.echo(f"  {refused.format_message()}", err=True)
        else:
            if not checked["valid"]:
                click.echo(f"  wrong; {checked['checks_remaining']} checks left", err=True)


def show_resource(resource: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(without_tokens(resource))
    else:
        click.echo("\n".join(fields(without_tokens(resource))))


@click.command()
@click.argument("verification_id", metavar="ID")
@as_json
@on_stack
def show(target: Target, verification_id: str, as_json: bool) -> None:
    """Show a verification, also one that has ended.

    \b
    Example:
      callverify show vrf_4tc0j4d2wa2ex1fjfg3ct4haht --json
    """
    path = path_of(verification_id)
    show_resource(target.api(mode_of(verification_id)).call("GET", path), as_json)


@click.command()
@click.argument("verification_id", metavar="ID")
@click.argument("code")
@as_json
@on_stack
def check(target: Target, verification_id: str, code: str, as_json: bool) -> None:
    """Check the CODE of a flash call or voice call. Exits with 1 if it is wrong.

    \b
    Example:
      callverify check vrf_4tc0j4d2wa2ex1fjfg3ct4haht 0427
    """
    path = path_of(verification_id, "check")
    checked = target.api(mode_of(verification_id)).call("POST", path, {"code": code}, has="valid")
    if as_json:
        print_json(without_tokens(checked))
    else:
        says = "right" if checked["valid"] else f"wrong; {checked['checks_remaining']} checks left"
        click.echo(f"{summary(checked)}  {says}")
    if not checked["valid"]:
        sys.exit(1)


@click.command()
@click.argument("verification_id", metavar="ID")
@as_json
@on_stack
def cancel(target: Target, verification_id: str, as_json: bool) -> None:
    """Cancel a pending verification.

    \b
    Example:
      callverify cancel vrf_4tc0j4d2wa2ex1fjfg3ct4haht
    """
    path = path_of(verification_id, "cancel")
    canceled = target.api(mode_of(verification_id)).call("POST", path)
    if as_json:
        print_json(without_tokens(canceled))
    else:
        click.echo(summary(canceled))


@click.command()
@click.argument("verification_id", metavar="ID")
@as_json
@on_stack
def history(target: Target, verification_id: str, as_json: bool) -> None:
    """Show what happened to a verification, in order, and by whom.

    \b
    Example:
      callverify history vrf_4tc0j4d2wa2ex1fjfg3ct4haht
    """
    path = path_of(verification_id, "history")
    found = target.api(mode_of(verification_id)).call("GET", path, has="history")
    if as_json:
        print_json(found)
        return
    for entry in found["history"]:
        more = [f"{name}: {value}" for name, value in entry.items() if name not in ("at", "what", "by")]
        click.echo("  ".join([clock(entry["at"]), entry["what"], f"by {entry['by']}", *more]))
