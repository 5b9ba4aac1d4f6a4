"""`search`, `usage`, `erase`, `block` and `unblock`: what is kept about verifications and phones."""

from __future__ import annotations

import time
from typing import Any

import click

from cli.output import print_json, table, without_tokens
from cli.target import LIVE, TEST, Target, as_json, on_stack
from cli.verifications import mode_of, path_of

AGAIN_SECONDS = 5  # until a phone's events and index entries are erased

in_test_mode = click.option("--test", "test", is_flag=True, help="Use test mode.")


def mode(test: bool) -> str:
    return TEST if test else LIVE


@click.command()
@click.option("--reference", help="The reference that the start request gave.")
@click.option("--phone", help="A phone in E.164. The key needs the scope verifications:search.")
@click.option("--limit", type=click.IntRange(1, 20), default=20, show_default=True)
@click.option("--after", help="The `next` of the previous page.")
@in_test_mode
@as_json
@on_stack
def search(target: Target, test: bool, as_json: bool, limit: int, **asked: str | None) -> None:
    """Find verifications by reference or by phone, newest first.

    It finds what the key has started; a key made with --all-keys finds what every key of its mode has.

    \b
    Example:
      callverify search --phone +79000001237
    """
    if bool(asked["reference"]) == bool(asked["phone"]):
        raise click.UsageError("Give either --reference or --phone.")
    body: dict[str, Any] = {"limit": limit, **{name: value for name, value in asked.items() if value}}
    page = target.api(mode(test)).call("POST", "/verifications/search", body, has="verifications")
    if as_json:
        print_json(page | {"verifications": [without_tokens(each) for each in page["verifications"]]})
        return
    rows = [
        (each["created_at"], each["id"], each["status"], each["method"], each["provider"], each["phone"])
        for each in page["verifications"]
    ]
    click.echo(table(rows, ("created_at", "id", "status", "method", "provider", "phone")) if rows else "none found")
    if page["next"]:
        click.echo(f"next page: --after {page['next']}", err=True)


@click.command()
@click.option("--day", help="A UTC day, such as 2026-11-27. Default: today.")
@in_test_mode
@as_json
@on_stack
def usage(target: Target, day: str | None, test: bool, as_json: bool) -> None:
    """Show what the key used in a day, by provider and method.

    A key made with --all-keys sees what every key of its mode used.

    \b
    Example:
      callverify usage --day 2026-11-27
    """
    found = target.api(mode(test)).call("GET", "/usage", has="usage", day=day)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            *(each[name] for name in ("provider", "method", "starts", "verified", "paid_calls")),
            ", ".join(f"{amount} {currency}" for currency, amount in each["cost"].items()),
        )
        for each in found["usage"]
    ]
    headings = ("provider", "method", "starts", "verified", "paid calls", "cost")
    click.echo(f"{found['day']}, {found['mode']}")
    click.echo(table(rows, headings) if rows else "nothing was used")


@click.command()
@click.argument("verification_id", metavar="[ID]", required=False)
@click.option("--phone", help="Erase all verifications of this phone (E.164), whichever key started them.")
@in_test_mode
@as_json
@on_stack
def erase(target: Target, verification_id: str | None, phone: str | None, test: bool, as_json: bool) -> None:
    """Erase a verification that has ended, or all verifications of a phone.

    A pending verification of the phone is canceled first. The key needs the scope verifications:erase.

    \b
    Example:
      callverify erase --phone +79000001237
    """
    if bool(verification_id) == bool(phone):
        raise click.UsageError("Give the ID of a verification, or --phone.")
    if verification_id:
        target.api(mode_of(verification_id)).call("DELETE", path_of(verification_id))
        erased = 1
    else:
        erased = _erase_phone(target, mode(test), str(phone))
    if as_json:
        print_json({"erased": erased})
    else:
        click.echo(f"{erased} erased" if erased else "nothing to erase")


def _erase_phone(target: Target, mode: str, phone: str) -> int:
    erased: int = 0
    while True:
        found = target.api(mode).call("POST", "/erasures", {"phone": phone}, has="erased")
        erased += found["erased"]
        if found["done"]:
            return erased
        click.echo(f"{erased} erased; waiting for the rest", err=True)
        time.sleep(AGAIN_SECONDS)


@click.command()
@click.argument("phone")
@in_test_mode
@as_json
@on_stack
def block(target: Target, phone: str, test: bool, as_json: bool) -> None:
    """Block PHONE: no start for it is accepted until it is unblocked.

    The key needs the scope verifications:block.

    \b
    Example:
      callverify block +79000001237
    """
    target.api(mode(test)).call("PUT", "/blocks", {"phone": phone})
    _say("blocked", as_json)


@click.command()
@click.argument("phone")
@in_test_mode
@as_json
@on_stack
def unblock(target: Target, phone: str, test: bool, as_json: bool) -> None:
    """Unblock PHONE: starts for it are accepted again.

    \b
    Example:
      callverify unblock +79000001237
    """
    target.api(mode(test)).call("DELETE", "/blocks", {"phone": phone})
    _say("unblocked", as_json)


def _say(state: str, as_json: bool) -> None:
    if as_json:
        print_json({"state": state})
    else:
        click.echo(f"{state}, in the key's mode")
