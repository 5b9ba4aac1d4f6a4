"""`make load`: hundreds of verifications at once through the deployed local stack, and an audit of all of them.

The times say little about AWS: on this machine the embedded AWS runs everything on a few processors, and starts a
process for each request at the same moment. What counts is the audit.
"""

from __future__ import annotations

import argparse
import heapq
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import requests

from bench import marked
from bench.audit import Seen, audit, redelivered
from bench.scripts import SCRIPTS, plan
from bench.travel import PATIENCE, Journey, Measured, World
from callverify.providers.registry import manifests
from local.background import background_stack
from local.env import read_env
from tests.support.client import Answer, Api, Secrets, Vendors

DOCUMENT = Path(__file__).with_name("LOAD.md")
# Windows short enough to be waited for, and no limit in the way of so many calls by one key.
DIALLED_SECONDS, TYPED_SECONDS = 60, 120
PROVIDERS = {
    manifest.name: {
        "window_seconds": {route.method: TYPED_SECONDS if route.code else DIALLED_SECONDS for route in manifest.routes}
    }
    for manifest in manifests()
}
PARAMETERS = {
    "KeyPaidDayLimit": "1000000",
    "StackPaidHourLimit": "1000000",
    "KeyFreeHourLimit": "1000000",
}
SETTLED_WITHIN = 240  # seconds: a message whose worker was lost is hidden for 90


def run(journeys: Sequence[Journey], hands: int) -> None:
    """Work through the journeys, so many requests at once. One whose wait is over goes before one that is to begin."""
    due: list[tuple[float, int]] = []
    new = list(range(len(journeys)))[::-1]
    at_work = 0
    changed = threading.Condition()

    def hand() -> None:
        nonlocal at_work
        while True:
            with changed:
                while not (due and due[0][0] <= time.monotonic()) and not new:
                    if not due and not at_work:
                        return
                    changed.wait(due[0][0] - time.monotonic() if due else None)
                n = heapq.heappop(due)[1] if due and due[0][0] <= time.monotonic() else new.pop()
                at_work += 1
            wait = _step(journeys[n])
            with changed:
                at_work -= 1
                if wait is not None:
                    heapq.heappush(due, (time.monotonic() + wait, n))
                changed.notify_all()

    threads = [threading.Thread(target=hand, daemon=True) for _ in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _step(journey: Journey) -> float | None:
    """The next step: seconds until the one after it, or None at the end, which anything unexpected is too."""
    try:
        return next(journey.steps, None)
    except Exception as error:  # whatever it is, it is that journey's finding, and the others go on
        journey.wrong.append(f"{type(error).__name__}: {error}"[:500])
        return None


def events_after(api: Api, cursor: str) -> tuple[list[dict[str, Any]], str]:
    """The list of events behind the cursor, and the cursor behind the last."""
    found: list[dict[str, Any]] = []
    while True:
        page = api.send("GET", f"/events?after={cursor}&limit=100", patience=60).expect(200)
        found += page["events"]
        cursor = page["next"]
        if not page["has_more"]:
            return found, cursor


def look(world: World, env: Mapping[str, str], journeys: Sequence[Journey], cursor: str, hands: int) -> Seen:
    """Wait until every window has ended and every event was delivered, or until nothing comes any more; then look."""
    ids = {journey.id for journey in journeys if journey.id}
    last_end = max(time.time(), *(journey.ends_at for journey in journeys))
    deadline = last_end + SETTLED_WITHIN
    events: list[dict[str, Any]] = []
    deliveries: list[dict[str, Any]] = []
    while time.time() < deadline:
        more, cursor = events_after(world.api, cursor)
        events += more
        received = requests.get(f"{env['RECEIVER_URL']}/events", timeout=30).json()["deliveries"]
        told = {event["data"]["id"] for event in events}  # also of starts that were answered with an error
        known, deliveries = len(deliveries), [each for each in received if each["event"]["data"]["id"] in told]
        if more or len(deliveries) > known:  # late is not lost
            deadline = max(deadline, time.time() + SETTLED_WITHIN)
        taken = {each["event"]["id"] for each in deliveries if each["answer"] == 200}
        ended = {event["data"]["id"] for event in events if event["data"]["status"] != "pending"}
        if ended >= ids and taken >= {event["id"] for event in events}:
            break
        time.sleep(1 + len(ids) / 500)  # each look reads all deliveries, beside functions that have to deliver

    settled = max(0.0, time.time() - last_end)

    def read(id_: str) -> Answer:
        with world.measured.request("read, ended"):
            return world.api.read(id_, patience=PATIENCE)

    with ThreadPoolExecutor(hands) as pool:
        answers = dict(zip(ids, pool.map(read, ids), strict=True))
    resources = {id_: answer.body for id_, answer in answers.items() if answer.status == 200}
    asked = requests.get(f"{env['SIMULATOR_URL']}/requests", timeout=60).json()["requests"]
    locked, dead_letters = leftovers(env)
    return Seen(
        resources=resources,
        events=events,
        deliveries=deliveries,
        requests=asked,
        locked=[id_ for id_ in locked if id_ in ids],
        dead_letters=dead_letters,
        settled=settled,
    )


def leftovers(env: Mapping[str, str]) -> tuple[list[str], int]:
    """Ids of verifications that still hold a phone, and the number of dead letters."""
    session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
    pages = (
        session.client("dynamodb", endpoint_url=env["AWS_ENDPOINT_URL"])
        .get_paginator("scan")
        .paginate(
            TableName=env["TABLE_NAME"],
            FilterExpression="begins_with(pk, :phone)",
            ExpressionAttributeValues={":phone": {"S": "phone#"}},
        )
    )
    locked = [item["verification_id"]["S"] for page in pages for item in page["Items"]]
    sqs = session.client("sqs", endpoint_url=env["AWS_ENDPOINT_URL"])
    queues = [url for url in sqs.list_queues()["QueueUrls"] if "DeadLetter" in url]
    waiting = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        for url in queues
    ]
    return locked, sum(int(each["ApproximateNumberOfMessages"]) for each in waiting)


def latencies(measured: Measured) -> str:
    """Percentiles by kind of request, in milliseconds."""
    rows = []
    for kind, seconds in sorted(measured.seconds.items()):
        cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
        rows.append([kind, len(seconds), *(f"{cuts[percent - 1] * 1000:.0f}" for percent in (50, 90, 99))])
    return marked.table(["request", "count", "p50 ms", "p90 ms", "p99 ms"], rows)


def lateness(events: Sequence[Mapping[str, Any]]) -> list[float]:
    """Seconds from the end of each window that nobody met until it was written, in order."""
    times = [
        (event["created_at"], event["data"]["expires_at"])
        for event in events
        if event["type"] == "verification.expired"
    ]
    return sorted(
        (datetime.fromisoformat(written) - datetime.fromisoformat(due)).total_seconds() for written, due in times
    )


def machine() -> str:
    cpu = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpu.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names) or '?'} processors, {platform.system()}"


@contextmanager
def stack(env_file: Path | None) -> Iterator[dict[str, str]]:
    """The stack that runs, or one of its own."""
    if env_file:
        yield read_env(env_file)
        return
    with (
        tempfile.TemporaryDirectory() as directory,
        background_stack(Path(directory), PARAMETERS, providers=PROVIDERS) as env,
    ):
        yield env


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--journeys", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="decides what happens in which journey")
    parser.add_argument("--concurrency", type=int, default=6, help="requests at once (default: %(default)s)")
    parser.add_argument("--env", type=Path, help="the env file of a stack that runs, used by nobody else meanwhile")
    parser.add_argument("--dry-run", action="store_true", help=f"leave {DOCUMENT.name} as it is")
    options = parser.parse_args(arguments)
    with stack(options.env) as env:
        used = Secrets()
        world = World(Api(env, used), Vendors(env, used), Measured())
        # A stack that ran before knows the phones of that run.
        journeys = plan(world, options.journeys, options.seed, salt=int(time.time()) if options.env else 0)
        if options.env:
            requests.delete(f"{env['SIMULATOR_URL']}/requests", timeout=10).raise_for_status()
        cursor = events_after(world.api, "0")[1]
        print(f"{len(journeys)} journeys, {options.concurrency} requests at once …", flush=True)
        began = time.monotonic()
        run(journeys, options.concurrency)
        took = time.monotonic() - began
        count = sum(map(len, world.measured.seconds.values()))
        print(f"All are sent in {took:.0f} s. Waiting for the last windows, then the audit …", flush=True)
        seen = look(world, env, journeys, cursor, options.concurrency)
        findings = audit(journeys, seen)
        whole = time.monotonic() - began
    late = lateness(seen.events) or [0.0]
    scripts = Counter(journey.script for journey in journeys)
    paid = sum(request["paid"] for request in seen.requests)
    summary = [
        f"{datetime.now(UTC):%Y-%m-%d}; {machine()}; {len(journeys)} journeys by seed {options.seed}, "
        f"{options.concurrency} requests at once.",
        f"Sent in {took:.0f} s, ended and audited in {whole:.0f} s: {count / took:.1f} requests and "
        f"{len(journeys) / took:.2f} journeys a second. "
        "The embedded AWS runs all of it on this machine, which says little about AWS: what counts is the audit.",
        latencies(world.measured),
        f"Windows that nobody met were ended {statistics.median(late):.0f} s late in the middle, {late[-1]:.0f} s at "
        "worst. A vendor that can be asked is, until 5 s before the end: a queue that is later than that misses a call "
        "that nobody reported, and the audit says so.",
        f"All events were in the list and delivered {seen.settled:.0f} s after the last window's end.",
        marked.table(["journey", "count"], [(name, scripts[name]) for name in SCRIPTS]),
        f"Audit: {len(seen.resources)} verifications, {len(seen.events)} events in the list, "
        f"{len(seen.deliveries)} deliveries ({redelivered(seen.deliveries)} of them again), {len(seen.requests)} "
        f"requests to vendors, {paid} of them billed. "
        + (f"**{len(findings)} findings.**" if findings else "Nothing lost, nothing paid or told twice."),
    ]
    print("\n\n".join(summary))
    for finding in findings:
        print(f"FINDING {finding}", file=sys.stderr)
    if not options.dry_run:
        marked.write(DOCUMENT, "load", "\n\n".join(summary))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
