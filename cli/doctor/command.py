"""`doctor`: looks whether everything that a stack needs is in place, and names the cause where it is not.

It reads; and it makes one API key of mode `test` for one verification of test mode, which costs nothing, and revokes
it. With --phone, and in the local stack always, it also starts one free reverse call at each provider that can be asked
about its calls: nobody rings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import click

from cli.doctor.doors import check_domain, check_user_pool
from cli.doctor.providers import check_accounts, check_pending_replies, check_webhooks
from cli.doctor.resources import (
    check_alarms,
    check_concurrency,
    check_dead_letters,
    check_mappings,
    check_stack,
    check_tables,
    check_updates,
)
from cli.doctor.secrets import check_api_keys, check_event_signing, check_pepper, check_provider_credentials
from cli.doctor.stack import Check, Finding, Stack, State
from cli.doctor.verification import check_verification
from cli.errors import explain, on_ctrl_c
from cli.output import counted, print_json
from cli.target import Target, as_json, on_stack

CHECKS: Sequence[Check] = (
    check_stack,
    check_pepper,
    check_provider_credentials,
    check_api_keys,
    check_event_signing,
    check_accounts,
    check_webhooks,
    check_pending_replies,
    check_tables,
    check_mappings,
    check_updates,
    check_domain,
    check_user_pool,
    check_alarms,
    check_dead_letters,
    check_concurrency,
    check_verification,
)


def examine(stack: Stack) -> list[Finding]:
    """Everything that is found, in the order of CHECKS. What AWS does not let us look at is a fault too."""

    def run(check: Check) -> list[Finding]:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            return list(check(stack))
        except Exception as error:
            fix = "use a role that may read this resource; or it was deleted by hand"
            return [Finding(name, State.FAULT, f"can't be read: {explain(error)}", fix)]

    # The last one writes a secret that another reads.
    with ThreadPoolExecutor(max_workers=6) as pool:
        looked = list(pool.map(run, CHECKS[:-1]))
    return [finding for findings in [*looked, run(CHECKS[-1])] for finding in findings]


def table(findings: Sequence[Finding]) -> str:
    width = max(len(finding.check) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:5}  {finding.check:{width}}  {finding.says}".rstrip())
        if finding.state in (State.FAULT, State.WARNING):
            lines.append(f"{'':{width + 9}}→ {finding.fix}")
    return "\n".join(lines)


@click.command()
@click.option("--phone", help="Also start a free reverse call with this mobile number, which doesn't ring.")
@as_json
@on_stack
def doctor(target: Target, phone: str | None, as_json: bool) -> None:
    """Check that everything a stack needs is in place, and name each setting to change.

    It makes one test key for one verification in test mode, and revokes it. Exits with 1 if there is a fault.

    \b
    Example:
      callverify doctor --stack callverify
    """
    on_ctrl_c("stopped; a test key named `doctor …` may be left: look with `callverify api-key list`, and revoke it")
    findings = examine(Stack(target, phone or ""))
    faults = sum(finding.state is State.FAULT for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    if as_json:
        print_json({"faults": faults, "warnings": warnings, "findings": [asdict(finding) for finding in findings]})
    else:
        click.echo(table(findings))
        click.echo(f"\n{counted(faults, 'fault')}, {counted(warnings, 'warning')}")
    if faults:
        sys.exit(1)
