"""The results as bench/RESULTS.md, and which of the targets are met."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from bench import cold, peers
from bench.artifacts import HERE, LAYER, Artifact, functions, runtime, version
from bench.cold import Cold
from bench.counts import Counted, Taken
from bench.figures import Figure
from bench.journeys import FOLLOW_UP, JOURNEYS, READ, READ_BACK, START, WEBHOOK, Step
from bench.warm import Warm
from local.build import ROOT

RESULTS = HERE / "RESULTS.md"
# What the same thing measured twice may differ by, and the share of the warm steps for which it has to be so.
CONTROL, STEPS_WITHIN = (0.95, 1.05), 0.9
POLLED = ("authorize", "check_status", "receive_webhook")
START_FUNCTION = "start_verification"


@dataclass(frozen=True, slots=True)
class Results:
    """All that was measured. Rounds: how often each was. load: the machine's, before and after."""

    artifacts: Mapping[str, Artifact]
    cold: Mapping[str, Cold]
    warm: Mapping[tuple[str, str], Warm]
    peers_warm: Mapping[str, tuple[Figure, Figure]]
    counted: Mapping[str, Counted]
    cold_rounds: int
    warm_rounds: int
    load: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Target:
    """measured: in words. met: whether that is within it."""

    name: str
    measured: str
    met: bool


def targets(results: Results) -> list[Target]:
    found = [*_cold_targets(results.cold), *_warm_targets(results.warm), *_request_targets(results.counted)]
    layer = results.artifacts[LAYER].zipped / 1e6
    return [*found, Target("layer under 5 MB zipped", f"{layer:.2f} MB", layer < 5)]


def _cold_targets(measured: Mapping[str, Cold]) -> Iterable[Target]:
    empty, client = measured[cold.EMPTY], measured[cold.CLIENT]
    for name in (*POLLED, START_FUNCTION):
        bound, ratio = 1.4 if name == START_FUNCTION else 1.25, measured[name].init / client.init
        yield _ratio(f"cold init of `{name}`, of the boto3 client's", ratio, bound)
    ours = max((*POLLED, START_FUNCTION), key=lambda name: measured[name].init.median)
    for peer in (peers.FASTAPI, peers.POWERTOOLS):
        slowest, other = measured[ours].init.median, measured[peer].init.median
        yield Target(
            f"cold init of each below {peer}'s", f"{slowest:.0f} of {other:.0f} ms (`{ours}`)", slowest < other
        )
    yield _ratio(
        f"cold init of `{START_FUNCTION}`, of the empty handler's", measured[START_FUNCTION].init / empty.init, 6
    )
    for name in (*POLLED, START_FUNCTION):
        yield _ratio(f"first invocation of `{name}`, of its warm ones", measured[name].first / measured[name].warm, 3.5)
    for name in (*POLLED, START_FUNCTION):
        yield _ratio(f"peak memory of `{name}`, of the empty handler's", measured[name].memory / empty.memory, 3.2)


def _warm_targets(measured: Mapping[tuple[str, str], Warm]) -> Iterable[Target]:
    for (kind, step), one in measured.items():
        yield _ratio(f"warm {step}, {kind}, of bare requests", one.ratio.median, 1.15)
    for (kind, step), one in measured.items():
        own = one.cpu.median - one.floor_cpu.median
        yield Target(f"CPU of our own code, warm {step}, {kind}: at most 3 ms", f"{own:.1f} ms", own <= 3)


def _request_targets(counted: Mapping[str, Counted]) -> Iterable[Target]:
    for kind in JOURNEYS:
        read = next(one for one in counted[kind].steps if one.step is READ)
        met = read.requests == 1 and 0.5 <= read.read_units <= 1 and not read.write_units
        measured = f"{read.requests} request, {read.read_units:g} RCU, {read.write_units:g} WCU"
        yield Target(f"status read, {kind}: 1 request of 0.5 to 1 RCU", measured, met)
    steps = [one for one in counted[READ_BACK].steps if one.step in (START, READ, WEBHOOK, FOLLOW_UP)]
    writes = sum(one.writes for one in steps)
    yield Target(
        f"{READ_BACK} (start, 10 reads, webhook, follow-up): at most 6 write requests",
        f"{writes}",
        writes <= 6,
    )


def _ratio(name: str, ratio: float, bound: float) -> Target:
    return Target(f"{name}: at most {bound:g} ×", f"{ratio:.2f} ×", ratio <= bound)


def render(results: Results) -> str:
    """The whole page."""
    judged = targets(results)
    empty, again = results.cold[cold.EMPTY], results.cold[cold.EMPTY_AGAIN]
    sections = [
        f"""# Results of `make bench`

{_verdict(results)}

Written by `make bench`. Times are of one machine: compare the ratios, each to a floor that was measured in the same
run, in turn with it. Figures are medians, with their quartiles in brackets.

{_facts(results)}

## Targets

{sum(one.met for one in judged)} of {len(judged)} are met.""",
        _table(
            ("target", "measured", "met"), ((one.name, one.measured, "yes" if one.met else "**no**") for one in judged)
        ),
        f"""## Cold starts

{results.cold_rounds} fresh processes of each, in turn, under AWS's Runtime Interface Emulator, of the built zips,
unzipped with their own dates. A process has a whole core, and its files are in the page cache; what Lambda does before
it starts one is not in this.

*init*: until the runtime asks for the first event. *first*: the first invocation, a container's first connections and
secrets with it. *both*: until the first answer. *warm*: the {cold.WARM_INVOCATIONS} invocations after that. *CPU*: of
both; it hardly knows who else uses the machine. `boto3 client`: a handler that makes one DynamoDB client and nothing
else. Peers are compiled as this service is, which SAM does not do, and spared the botocore that SAM would pack for
them. Powertools' sample has no table, so it makes no AWS client at all.""",
        cold_table(results.cold),
        f"""Control: the empty handler was measured twice, as if it were two. The second took
{again.init / empty.init:.2f} × the first's init, {again.first / empty.first:.2f} × its first invocation,
{again.cpu / empty.cpu:.2f} × its CPU and {again.memory / empty.memory:.2f} × its memory.
Smaller differences than that say nothing.""",
        f"""## Warm invocations

{results.warm_rounds} of each step, in turn with its *floor*: the same requests, recorded off the wire, made for other
verifications by bare boto3 and urllib3, as its event tells it. DynamoDB is DynamoDB Local, the vendors are the
simulators. Each function has two floors, alike in everything; the three take turns in random order. *control*: one
floor's times of the other's; how far from 1 it is, is the noise. The ratios are the medians of those within each turn,
to the floors' geometric mean. *CPU*: of the function's process, the runtime's client in it. *own CPU*: without the
floor's.""",
        warm_table(results.warm),
        "The peers do less: no order of judgement, no replay, no events, no proof.",
        _table(("", "ms", "CPU ms"), ((name, f"{wall}", f"{cpu}") for name, (wall, cpu) in results.peers_warm.items())),
        """## Requests

Read off the wire, in containers that have read their secrets. A transaction is one request, and costs twice its items.
Units are what the embedded AWS of `make dev` says that it consumed: DynamoDB Local says 4 for any transaction.
*others*: queue and bus.""",
        counts_table(results.counted),
        "## Size",
        _table(
            ("", "zipped kB", "unzipped kB"),
            ((name, f"{one.zipped / 1000:,.1f}", f"{one.unzipped / 1000:,.1f}") for name, one in _sizes(results)),
        ),
    ]
    return "\n\n".join(sections) + "\n"


def control(results: Results) -> tuple[float, float, float]:
    """What was measured twice: warm steps in the middle, the share of them within CONTROL, and cold starts."""
    warm = [one.control.median for one in results.warm.values()]
    within = sum(CONTROL[0] <= each <= CONTROL[1] for each in warm) / len(warm)
    return statistics.median(warm), within, results.cold[cold.EMPTY_AGAIN].init / results.cold[cold.EMPTY].init


def _verdict(results: Results) -> str:
    """Whether the run's ratios can be believed: the first thing to say of it."""
    middle, within, starts = control(results)
    low, high = CONTROL
    kept = low <= middle <= high and low <= starts <= high and within >= STEPS_WITHIN
    found = (
        f"of what is the same measured twice, the second took {middle:.2f} × the first's time in warm steps, within "
        f"{low:g} to {high:g} in {within:.0%} of them, and {starts:.2f} × in cold starts"
    )
    if kept:
        return f"Control kept: {found}."
    return f"**This run misses its control**: {found}. Its ratios say little; run it again on a quiet machine."


def cold_table(measured: Mapping[str, Cold]) -> str:
    empty, client = measured[cold.EMPTY], measured[cold.CLIENT]
    return _table(
        (
            "",
            "init ms",
            "× empty",
            "× client",
            "first ms",
            "both ms",
            "warm ms",
            "CPU ms",
            "× client",
            "peak MiB",
            "× empty",
        ),
        (
            (
                f"`{name}`" if name in functions() else name,
                f"{one.init}",
                f"{one.init / empty.init:.2f}",
                f"{one.init / client.init:.2f}",
                f"{one.first}",
                f"{one.answer}",
                f"{one.warm}",
                f"{one.cpu}",
                f"{one.cpu / client.cpu:.2f}",
                f"{one.memory}",
                f"{one.memory / empty.memory:.2f}",
            )
            for name, one in measured.items()
        ),
    )


def warm_table(measured: Mapping[tuple[str, str], Warm]) -> str:
    return _table(
        ("step", "ms", "floor ms", "×", "control", "CPU ms", "floor's CPU", "own CPU"),
        (
            (
                f"{step}, {kind}",
                f"{one.wall}",
                f"{one.floor}",
                f"{one.ratio}",
                f"{one.control.median:.2f}",
                f"{one.cpu}",
                f"{one.floor_cpu}",
                f"{one.cpu.median - one.floor_cpu.median:.1f}",
            )
            for (kind, step), one in measured.items()
        ),
    )


def counts_table(counted: Mapping[str, Counted]) -> str:
    return _table(
        ("step", "DynamoDB requests", "of them writes", "RCU", "WCU", "vendor requests", "others"),
        (row for kind, journey in counted.items() for row in _journey_rows(kind, journey)),
    )


def _journey_rows(kind: str, journey: Counted) -> Iterable[Sequence[str]]:
    groups: dict[Step, list[Taken]] = {}
    for taken in journey.steps:
        groups.setdefault(taken.step, []).append(taken)
    for step, all_ in groups.items():
        name = f"{len(all_)} × {step.name}" if len(all_) > 1 else step.name
        yield (f"{kind}: {name}", *_counts(all_))
    yield (f"**{kind}: all**", *_counts(journey.steps))


def _counts(steps: Sequence[Taken]) -> Sequence[str]:
    return (
        f"{sum(one.requests for one in steps)}",
        f"{sum(one.writes for one in steps)}",
        f"{sum(one.read_units for one in steps):g}",
        f"{sum(one.write_units for one in steps):g}",
        f"{sum(one.vendor_requests for one in steps)}",
        f"{sum(one.other_requests for one in steps)}",
    )


def _sizes(results: Results) -> Iterable[tuple[str, Artifact]]:
    yield "layer", results.artifacts[LAYER]
    yield from ((f"`{name}`", one) for name, one in results.artifacts.items() if name != LAYER)
    yield from ((f"peer: {name}", peers.built(name)) for name in (peers.POWERTOOLS, peers.FASTAPI))


def _facts(results: Results) -> str:
    layer = results.artifacts[LAYER].directory / "python"
    packages = {
        "boto3": version("boto3", runtime()),
        "botocore": version("botocore", runtime()),
        "awslambdaric": version("awslambdaric", runtime()),
        "Powertools": version("aws_lambda_powertools", layer),
        "SAM CLI": metadata.version("aws-sam-cli"),
        "FastAPI": version("fastapi", peers.built(peers.FASTAPI).directory),
        "Mangum": version("mangum", peers.built(peers.FASTAPI).directory),
        "pydantic": version("pydantic", peers.built(peers.FASTAPI).directory),
    }
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    before, after = results.load
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB,"
        f" {platform.system()} {platform.release()}",
        "load average": f"{before:.1f} before, {after:.1f} after (a quiet machine: below {os.cpu_count()})",
        "Python": f"{platform.python_version()}, {platform.machine()}",
        "packages": ", ".join(f"{name} {number}" for name, number in packages.items()),
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
