"""`make scale`: the tables of docs/scale.md, from what bench/requests.json holds and AWS's prices and quotas."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import marked
from bench.kinds import KINDS, NOT_ANSWERED, titles
from callverify.providers.base import Route
from callverify.store.calendar import SHARDS
from tests.support.template import FUNCTIONS, GLOBALS, RESOURCES

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
REQUESTS = Path(__file__).with_name("requests.json")
MILLION = 1_000_000
MONTH = 30 * 24 * 3600

# US dollars in us-east-1 for one of each; where from, and as of when: docs/scale.md.
PRICES = {
    "rest_request": 3.50 / MILLION,
    "http_request": 1.00 / MILLION,
    "invocation": 0.20 / MILLION,
    "gb_second": 0.0000133334,
    "write_unit": 0.625 / MILLION,
    "read_unit": 0.125 / MILLION,
    "stored_gb_month": 0.25 + 0.20,  # the table, and point-in-time recovery
    "sqs_request": 0.40 / MILLION,
    "event": 1.00 / MILLION,
    "push_operation": 1.00 / MILLION,
    "push_minute": 0.08 / MILLION,
    "log_gb": 0.50,
    "secret_call": 0.05 / 10_000,
    "trace": 5.00 / MILLION,
    "secret_month": 0.40,
    "alarm_month": 0.10,
    "metric_month": 0.30,
    "gb_out": 0.09,
}

# Assumed. Measured is the processor's time on a whole core; a function has the share that its memory buys.
MEMORY_MB = {
    each["CodeUri"].split("/")[1]: int(each.get("MemorySize", GLOBALS["MemorySize"])) for each in FUNCTIONS.values()
}
TRACED_SHARE = 0.05  # and one request a second, which a large stack does not notice
FULL_CORE_MB, SLOWER_CORE = 1769, 1.15
WAIT_MS = {
    "GetItem": 4,
    "BatchGetItem": 6,
    "PutItem": 6,
    "UpdateItem": 6,
    "DeleteItem": 6,
    "BatchWriteItem": 8,
    "TransactWriteItems": 15,
}
VENDOR_MS, RECEIVER_MS, AWS_CALL_MS = 400, 200, 8
COLD_SHARE, COLD_MS = 0.002, 1200
ACCESS_LOG_BYTES, HEADER_BYTES = 300, 600
PAGE_BYTES = 50_000
KEPT_DAYS = 3  # 24 hours of retention, and DynamoDB's sweeping behind it
SECRETS_A_REFRESH, REFRESH_SECONDS, BUSY_SHARE = 2, 240, 0.1
# By how the end is learned; the measured routes of one sort share alike.
SHARES = {"code": 0.25, "read back": 0.55, "signed": 0.10, "not answered": 0.10}

GATEWAY_STEPS = ("start", "read", "check", "webhook")
STARTS_A_SECOND = (10, 1_000, 10_000)


def _sort(route: Route) -> str:
    return "code" if route.code else "read back" if route.read_back else "signed"


Journey = Mapping[str, Mapping[str, Any]]
Usage = defaultdict[str, float]


def sorts_of(measured: Iterable[str]) -> dict[str, str]:
    """How the end is learned in each of the measured kinds of journeys, in the tables' order."""
    return {kind: "not answered" if kind == NOT_ANSWERED else _sort(KINDS[kind][1]) for kind in names(measured)}


def mix(measured: Iterable[str]) -> dict[str, float]:
    """The share of each of the measured kinds of journeys among those verifications that are of their sorts."""
    sorts = sorts_of(measured)
    alike = Counter(sorts.values())
    whole = sum(SHARES[sort] for sort in alike)
    return {kind: SHARES[sort] / alike[sort] / whole for kind, sort in sorts.items()}


def names(measured: Iterable[str]) -> dict[str, str]:
    """What the measured kinds are called, in the tables' order."""
    return {kind: title for kind, title in titles().items() if kind in set(measured)}


@dataclass(frozen=True)
class Client:
    """How the user's side waits for the end.

    pages: requests for the hosted page. told: by signed events. pushed: messages that it receives on a connection.
    """

    name: str
    reads: int = 10
    authorizations: float = 1
    pages: int = 0
    told: bool = False
    pushed: int = 0


POLLING = Client("a browser polls 10 times, with its client token")
CLIENTS = (
    POLLING,
    Client("a server polls 10 times, with its API key", authorizations=0),
    Client("the hosted page: 10 polls, and the page itself", pages=1),
    # It reads once it has subscribed, and every 15 s; the end is pushed by who writes it, and by the stream.
    Client("the hosted page with push: 3 reads, and the page itself", reads=3, pages=1, pushed=2),
    Client("polls 30 times, every second", reads=30),
    Client("polls 5 times", reads=5),
    Client("a server is told by signed events, and reads once", reads=1, authorizations=0, told=True),
)
CONNECTED_MINUTES = 0.5
PUSHED_AT_THE_END = 1  # by the function that writes it, beside what the stream's consumer pushes of each transition


def usage(journeys: Mapping[str, Journey], name: str, client: Client) -> Usage:
    """What one verification uses; `ms <function>` is what Lambda bills of that function."""
    used: Usage = defaultdict(float)
    own = {"read": client.reads, "authorize": client.authorizations}
    for step, measured in journeys[name].items():
        times = own[step] if step in own else measured["times"]
        _add(used, measured, times, gateway=step in GATEWAY_STEPS)
    _add(used, {"function": "serve_page", "cpu_ms": 1, "answer_bytes": PAGE_BYTES}, client.pages, gateway=True)
    events = journeys[name]["publish"]["times"]
    used["event"] += events
    used["sqs_request"] += 3 * journeys[name]["follow_up"]["times"]
    if client.told:
        used["sqs_request"] += 3 * events
        _add(used, {"function": "deliver_event", "cpu_ms": 5, "wait_ms": RECEIVER_MS, "answer_bytes": 1_500}, events)
    if client.pushed:
        # To connect and to subscribe, each authorized; then what is published, heard or not, and what is received.
        used["push_operation"] += 2 + events + PUSHED_AT_THE_END + client.pushed
        used["push_minute"] += CONNECTED_MINUTES
        _add(used, {"function": "authorize_updates", "cpu_ms": 1}, 2)
    return used


def _add(used: Usage, step: Mapping[str, Any], times: float, *, gateway: bool = False) -> None:
    function = step["function"]
    memory = MEMORY_MB[function]
    wait = sum(WAIT_MS[name] * number for name, number in step.get("dynamodb", {}).items())
    wait += VENDOR_MS * step.get("vendor_requests", 0) + step.get("wait_ms", 0)
    if function in ("publish_event", "schedule_follow_up"):
        wait += AWS_CALL_MS
    ms = step["cpu_ms"] * SLOWER_CORE * FULL_CORE_MB / memory + wait + COLD_SHARE * COLD_MS
    used[f"ms {function}"] += ms * times
    used["invocation"] += times
    used[f"invocation {function}"] += times
    used["gb_second"] += ms / 1000 * memory / 1024 * times
    used["busy_second"] += ms / 1000 * times
    used["read_unit"] += step.get("read_units", 0) * times
    used["write_unit"] += step.get("write_units", 0) * times
    used["log_byte"] += (step.get("log_bytes", 0) + ACCESS_LOG_BYTES * gateway) * times
    used["vendor_request"] += step.get("vendor_requests", 0) * times
    used["gateway"] += gateway * times
    used["byte_out"] += (step.get("answer_bytes", 0) + HEADER_BYTES) * gateway * times
    used["byte_out"] += 1_000 * step.get("vendor_requests", 0) * times


def mixed(journeys: Mapping[str, Journey], client: Client) -> Usage:
    """What a verification of the mix uses, on average."""
    used: Usage = defaultdict(float)
    for name, share in mix(journeys).items():
        for what, number in usage(journeys, name, client).items():
            used[what] += share * number
    return used


def costs(used: Mapping[str, float], stored: int, *, gateway: str = "rest_request") -> dict[str, float]:
    """Dollars for a million verifications, by line."""
    gb = MILLION / 2**30
    refreshes = used["busy_second"] / BUSY_SHARE / REFRESH_SECONDS
    return {
        "API Gateway": used["gateway"] * MILLION * PRICES[gateway],
        "Lambda, requests": used["invocation"] * MILLION * PRICES["invocation"],
        "Lambda, GB-seconds": used["gb_second"] * MILLION * PRICES["gb_second"],
        "DynamoDB, writes": used["write_unit"] * MILLION * PRICES["write_unit"],
        "DynamoDB, reads": used["read_unit"] * MILLION * PRICES["read_unit"],
        "DynamoDB, storage and PITR": stored * gb * KEPT_DAYS / 30 * PRICES["stored_gb_month"],
        "SQS": used["sqs_request"] * MILLION * PRICES["sqs_request"],
        "EventBridge": used["event"] * MILLION * PRICES["event"],
        "AppSync": MILLION
        * (used["push_operation"] * PRICES["push_operation"] + used["push_minute"] * PRICES["push_minute"]),
        "CloudWatch Logs": used["log_byte"] * gb * PRICES["log_gb"],
        "X-Ray": used["invocation"] * TRACED_SHARE * MILLION * PRICES["trace"],
        "Secrets Manager": refreshes * SECRETS_A_REFRESH * MILLION * PRICES["secret_call"],
        "data out": used["byte_out"] * gb * PRICES["gb_out"],
    }


def dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 10 else f"{amount:,.0f}"


COUNTED = {
    "gateway": "requests through the gateway",
    "invocation": "invocations",
    "write_unit": "write units",
    "read_unit": "read units",
    "sqs_request": "requests to SQS",
    "event": "events",
    "vendor_request": "requests to the vendor",
    "log_byte": "bytes of logs",
}


def requests_table(journeys: Mapping[str, Journey]) -> str:
    rows = []
    for kind, name in names(journeys).items():
        used = usage(journeys, kind, POLLING)
        rows.append([name, *(f"{used[what]:,.0f}" for what in COUNTED)])
    table = marked.table(["of one verification", *COUNTED.values()], rows)
    unmeasured = [title for kind, title in titles().items() if kind not in journeys]
    return f"{table}\n\nNot measured yet: {'; '.join(unmeasured)}." if unmeasured else table


FORMER = ("write_unit", "read_unit", "invocation", "vendor_request", "log_byte")


def counted(journeys: Mapping[str, Journey]) -> dict[str, dict[str, float]]:
    """What a verification of each kind uses, of what FORMER names."""
    return {kind: {what: round(usage(journeys, kind, POLLING)[what], 1) for what in FORMER} for kind in names(journeys)}


def former_table(before: Mapping[str, Mapping[str, float]], journeys: Mapping[str, Journey]) -> str:
    now = counted(journeys)
    rows = [
        [name, *(f"{before[kind][what]:,.0f} → {now[kind][what]:,.0f}" for what in FORMER)]
        for kind, name in names(journeys).items()
        if kind in before
    ]
    return marked.table(["of one verification", *(COUNTED[what] for what in FORMER)], rows)


def cost_table(journeys: Mapping[str, Journey], stored: int) -> str:
    """By how the end is learned, and for the mix."""
    sorts = sorts_of(journeys)
    columns = {
        sort: costs(mixed({kind: journeys[kind] for kind in sorts if sorts[kind] == sort}, POLLING), stored)
        for sort in dict.fromkeys(sorts.values())
    }
    columns["mix"] = costs(mixed(journeys, POLLING), stored)
    total = sum(columns["mix"].values())
    rows = [
        [line, *(dollars(column[line]) for column in columns.values()), f"{columns['mix'][line] / total:.0%}"]
        for line in columns["mix"]
    ]
    sums = ["**all**", *(f"**{dollars(sum(column.values()))}**" for column in columns.values()), "100%"]
    return marked.table(["$ for a million", *columns, "of the mix"], [*rows, sums])


def lambda_table(journeys: Mapping[str, Journey]) -> str:
    used = mixed(journeys, POLLING)
    rows = []
    for function in sorted(name.partition(" ")[2] for name in used if name.startswith("invocation ")):
        invocations, ms = used[f"invocation {function}"], used[f"ms {function}"]
        if not invocations:
            continue
        memory = MEMORY_MB[function]
        seconds = ms / 1000 * memory / 1024 * MILLION
        price = seconds * PRICES["gb_second"] + invocations * MILLION * PRICES["invocation"]
        rows.append(
            [function, memory, f"{invocations:.2f}", f"{ms / invocations:.0f}", f"{seconds:,.0f}", dollars(price)]
        )
    head = ["function", "MB", "invocations of one verification", "billed ms", "GB-s of a million", "$ for a million"]
    return marked.table(head, rows)


def clients_table(journeys: Mapping[str, Journey], stored: int) -> str:
    rows = []
    for client in CLIENTS:
        used = mixed(journeys, client)
        rest, http = (costs(used, stored, gateway=kind) for kind in ("rest_request", "http_request"))
        total = sum(rest.values())
        share = f"{rest['API Gateway'] / total:.0%}"
        rows.append([client.name, f"{used['gateway']:.1f}", dollars(total), share, dollars(sum(http.values()))])
    head = ["how the end is waited for", "requests", "$ a million, REST", "of it the gateway", "$ a million, HTTP API"]
    return marked.table(head, rows)


def fixed_table(alarms: int, metrics: int) -> str:
    polls = 2 * 5 * 3 * MONTH / 60 * PRICES["sqs_request"]
    lines = {
        "4 secrets": 4 * PRICES["secret_month"],
        f"{alarms} alarms": alarms * PRICES["alarm_month"],
        f"about {metrics} custom metrics": metrics * PRICES["metric_month"],
        "2 queues that Lambda polls, 5 pollers each, every 20 s": polls,
    }
    lines["**all**"] = sum(lines.values())
    return marked.table(["a month, used or not", "$"], [[name, dollars(price)] for name, price in lines.items()])


def limits_table(journeys: Mapping[str, Journey]) -> str:
    """What each quota is used for, and the starts a second that it is used up at; the first to be met first."""
    used = mixed(journeys, POLLING)
    concurrency = used["busy_second"]
    shares = mix(journeys)
    paid = sum(share for kind, share in shares.items() if kind in KINDS and KINDS[kind][1].paid)
    quotas: list[tuple[str, float, float]] = [
        ("`StackPaidHourLimit` 2,000 (ours): paid calls", paid, 2_000 / 3_600),
        ("`StartThrottleRate` 100 (ours): starts", 1, 100),
        ("`ThrottleRate` 500 (ours): other requests", used["gateway"] - 1, 500),
        ("a vendor that takes 30 requests a second of one address: paid calls", paid, 30),
        (f"one item of {SHARDS}: `stack_paid_hour`", paid / SHARDS, 1_000),
        (f"one item of {SHARDS}: `key_free_hour` of a key that makes all starts", (1 - paid) / SHARDS, 1_000),
        (
            "one item: the number of the latest event, in full batches of 25; shorter ones meet it sooner",
            used["event"] / 25,
            1_000,
        ),
        ("API Gateway: 10,000 requests a second of the account", used["gateway"], 10_000),
        ("Lambda: 1,000 at once in the account", concurrency, 1_000),
        ("DynamoDB, a new table: 4,000 write units a second", used["write_unit"], 4_000),
        ("DynamoDB, a table's quota: 40,000 write units a second", used["write_unit"], 40_000),
        ("DynamoDB, a table's quota: 40,000 read units a second", used["read_unit"], 40_000),
        ("EventBridge: 10,000 PutEvents a second", used["event"], 10_000),
        ("SQS: follow_up, 1,000 batches of 1 at once", used["ms follow_up"] / 1000, 1_000),
        ("SQS: 120,000 messages in flight", used["ms follow_up"] / 1000, 120_000),
        ("Secrets Manager: 10,000 reads a second", concurrency / BUSY_SHARE / REFRESH_SECONDS * 2, 10_000),
    ]
    rows = []
    for name, each, limit in sorted(quotas, key=lambda quota: quota[2] / quota[1]):
        need = [f"**{each * rate:,.0f}**" if each * rate > limit else f"{each * rate:,.0f}" for rate in STARTS_A_SECOND]
        met = limit / each
        rows.append([name, f"{each:.2f}", *need, f"{met:,.0f}" if met >= 10 else f"{met:.1f}"])
    head = ["what", "for one start", *(f"at {rate:,}/s" for rate in STARTS_A_SECOND), "full at, starts/s"]
    return marked.table(head, rows)


def document(text: str, measured: Mapping[str, Any]) -> str:
    """docs/scale.md with its tables made anew."""
    journeys, stored = measured["journeys"], measured["stored_per_verification"]
    alarms = sum(resource["Type"] == "AWS::CloudWatch::Alarm" for resource in RESOURCES.values())
    parts = {
        "requests": requests_table(journeys),
        "former": former_table(measured["before"], journeys),
        "costs": cost_table(journeys, stored),
        "functions": lambda_table(journeys),
        "clients": clients_table(journeys, stored),
        "fixed": fixed_table(alarms, metrics=70),
        "limits": limits_table(journeys),
    }
    for name, part in parts.items():
        text = marked.put(text, name, part)
    return text


def main() -> int:
    DOCUMENT.write_text(document(DOCUMENT.read_text(), json.loads(REQUESTS.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
