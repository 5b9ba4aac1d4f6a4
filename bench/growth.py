"""`make growth`: what a verification costs while 100, 1,000 and 10,000 others are live.

The functions' handlers on DynamoDB Local, Amazon's own engine, with vendors that answer at once: how long each step
takes on this machine's processor, what it asks of DynamoDB, and what it writes into the log. It must not grow. The
figures at the largest size go into requests.json, from which docs/scale.md is made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import marked
from bench.field import Field, Kinds, Step, Vendors
from bench.load import DOCUMENT, machine
from callverify.store.items import deserialized
from tests.stack.engines import dynamodb_local

REQUESTS = Path(__file__).with_name("requests.json")
LIVE = (100, 1_000, 10_000)


def size(value: Any) -> int:
    """The size of a value, as DynamoDB counts it, near enough."""
    if isinstance(value, Mapping):
        return 3 + sum(1 + len(name) + size(member) for name, member in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + size(member) for member in value)
    return len(value.encode()) if isinstance(value, str) else len(str(value)) // 2 + 1


def sizes(client: Any, table: str) -> dict[str, int]:
    """The largest item, and the bytes stored for each verification in the table."""
    pages = client.get_paginator("scan").paginate(TableName=table)
    items = {item["pk"]["S"]: size(deserialized(item)) for page in pages for item in page["Items"]}
    verifications = sum(pk.startswith("verification#") for pk in items)
    return {"largest_item": max(items.values()), "stored_per_verification": sum(items.values()) // verifications}


def fast(step: Step) -> float:
    """Seconds that the fastest fifth of the times stays under: others at work on the machine show less there."""
    return statistics.quantiles(step.seconds, n=5)[0]


def growth(measured: Mapping[int, tuple[Kinds, Kinds]]) -> str:
    """Each step beside each number of live verifications, against the same step on a table that is nearly empty."""
    head, rows = ["step"], []
    for live in measured:
        head += [f"ms at {live:,}", "requests / units"]
    for kind, steps in measured[min(measured)][0].items():
        for name, first in steps.items():
            if not first.asked[0].requests:
                continue
            row: list[object] = [f"{kind}: {name}"]
            for beside, alone in measured.values():
                step = beside[kind][name]
                requests = statistics.fmean(each.requests.total() for each in step.asked)
                units = statistics.fmean(each.reads + each.writes for each in step.asked)
                row.append(f"{fast(step) * 1000:.1f} (×{fast(step) / fast(alone[kind][name]):.2f})")
                row.append(f"{requests:.2f} / {units:.2f}")
            rows.append(row)
    return marked.table(head, rows)


@contextlib.contextmanager
def engine() -> Iterator[Any]:
    """A client of DynamoDB Local."""
    dynamodb_local.fetch()
    with tempfile.TemporaryDirectory() as directory, dynamodb_local.dynamodb_local(Path(directory)) as endpoint:
        client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(max_pool_connections=16, retries={"mode": "standard", "total_max_attempts": 20}),
        )
        client.list_tables()
        yield client


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--live", type=int, nargs="+", default=LIVE, help="how many others are live")
    parser.add_argument("--journeys", type=int, default=30, help="of each kind, at each size (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help=f"leave {DOCUMENT.name} and {REQUESTS.name} as they are")
    options = parser.parse_args(arguments)
    measured: dict[int, tuple[Kinds, Kinds]] = {}
    with engine() as client:
        vendors = Vendors()
        there, empty = Field(client, vendors), Field(client, vendors)
        live = 0
        for field in (there, empty):
            field.measure(10)  # until everything is warm
        for count in sorted(options.live):
            there.fill(count - live)
            live = count
            measured[live] = ({}, {})
            for _ in range(options.journeys):
                # By turns, so that others at work on the machine slow down both.
                for field, steps in zip((there, empty), measured[live], strict=True):
                    field.measure(1, steps)
            print(f"{live:,} live: measured", file=sys.stderr, flush=True)
        stored = sizes(client, there.world.table)
    table = growth(measured)
    print(table)
    print(stored)
    if not options.dry_run:
        when = (
            f"{datetime.now(UTC):%Y-%m-%d}; {machine()}; {options.journeys} journeys of each kind at each size. "
            "In brackets, how many times what the same step takes on a nearly empty table, by turns."
        )
        marked.write(DOCUMENT, "growth", f"{when}\n\n{table}")
        summaries = {
            kind: {name: step.summary(options.journeys) for name, step in taken.items()}
            for kind, taken in measured[live][0].items()
        }
        before = json.loads(REQUESTS.read_text())["before"]  # of the release before: `scale.counted`
        known = {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "live": live, **stored}
        REQUESTS.write_text(json.dumps({**known, "before": before, "journeys": summaries}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
