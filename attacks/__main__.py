"""Run all attacks against an embedded AWS, and write what came of them into docs/threat-model.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from attacks import report, suite


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m attacks", description=__doc__)
    parser.add_argument("--size", choices=suite.SIZES, default="full", help="how many tries (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="print the table alone, and leave the document as it is")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    sizes = suite.SIZES[options.size]
    findings = []
    with ProcessPoolExecutor(2) as pool:
        # In the order of the table; the webhooks take longest and begin first.
        running = {name: pool.submit(suite.run, name, sizes[name]) for name in sorted(sizes, key=suite.LONGEST.index)}
        for name in suite.ATTACKS:
            findings += running[name].result()
    print(report.table(findings))
    if not options.dry_run:
        report.write(findings)
    broken = [finding.attack for finding in findings if not finding.holds]
    print(
        f"\n{len(findings)} attacks in {time.monotonic() - began:.0f} s, {len(broken)} bounds broken", file=sys.stderr
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
