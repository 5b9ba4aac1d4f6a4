"""`make doctor`: looks whether everything that a stack needs is in place, and names the cause where it is not.

It reads; and it makes one API key of mode `test` for one verification of test mode, which costs nothing, and revokes
it. With PHONE, and in the local stack always, it also starts one free reverse call at each provider that can be asked
about its calls: nobody rings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from tools.doctor.providers import check_accounts, check_pending_replies, check_webhooks
from tools.doctor.resources import (
    check_alarms,
    check_concurrency,
    check_dead_letters,
    check_mappings,
    check_stack,
    check_tables,
    check_updates,
)
from tools.doctor.secrets import check_api_keys, check_event_signing, check_pepper, check_provider_credentials
from tools.doctor.stack import Check, Finding, Stack, State
from tools.doctor.verification import check_verification
from tools.target import target_stack

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
        except (BotoCoreError, ClientError) as error:
            fix = "run it with a role that may read this; a resource may have been deleted by hand"
            return [Finding(name, State.FAULT, f"cannot be looked at: {error}", fix)]

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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.doctor", description=__doc__)
    parser.add_argument("--stack", default="", help="default: the local stack where one runs, else callverify")
    parser.add_argument("--dev-dir", default=".dev")
    parser.add_argument("--phone", default="", help="a mobile to start free reverse calls for; it is not called")
    chosen = parser.parse_args(arguments)
    name = target_stack(chosen.stack, chosen.dev_dir)
    try:
        stack = Stack(name, chosen.phone)
    except (BotoCoreError, ClientError) as error:
        print(f"doctor: the stack {name} cannot be read: {error}", file=sys.stderr)
        return 1
    findings = examine(stack)
    print(table(findings))
    faults = sum(finding.state is State.FAULT for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    print(f"\n{faults or 'no'} fault(s), {warnings or 'no'} warning(s)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
