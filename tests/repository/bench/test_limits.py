"""The simulation of DynamoDB's limits: its time, what it refuses, and the service within it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bench.capacity import HOLDS_SECONDS, WRITES_A_SECOND, LimitedDynamoDb
from bench.limits import SECONDS, run
from bench.virtual import Schedule

TABLE = "table"


def limited(partitions: int | None = None) -> tuple[Schedule, LimitedDynamoDb]:
    schedule = Schedule(1_000.0)
    client = LimitedDynamoDb(schedule, partitions)
    client.create_table(TableName=TABLE)
    return schedule, client


def item(pk: str) -> dict[str, Any]:
    return {"TableName": TABLE, "Item": {"pk": {"S": pk}}}


def transaction(client: LimitedDynamoDb, *keys: str) -> None:
    client.transact_write_items(TransactItems=[{"Put": item(pk)} for pk in keys])


def refused(act: Callable[[], object], seen: list[str]) -> Callable[[], None]:
    """Do it, and note how it ended."""

    def attempt() -> None:
        try:
            act()
        except ClientError as error:
            reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", ())]
            seen.append(" ".join(reasons) or error.response["Error"]["Code"])
        else:
            seen.append("done")

    return attempt


def test_whatever_is_due_first_goes_on_first() -> None:
    schedule, log = Schedule(0.0), list[str]()

    def walk(name: str, *waits: float) -> None:
        for wait in waits:
            schedule.wait(wait)
            log.append(f"{name} {schedule.now:g}")

    schedule.at(0, lambda: walk("a", 3, 3))
    schedule.at(1, lambda: walk("b", 1, 1, 5))
    schedule.at(2, lambda: schedule.at(4, lambda: walk("c", 0)))
    schedule.run()
    assert log == ["b 2", "a 3", "b 3", "c 4", "a 6", "b 8"]


def test_a_thousand_wait_at_once() -> None:
    schedule, ended = Schedule(0.0), list[int]()

    def sleeper(number: int) -> Callable[[], None]:
        def sleep() -> None:
            schedule.wait(1 + number / 1000)
            ended.append(number)

        return sleep

    for number in range(1_000):
        schedule.at(0, sleeper(number))
    schedule.run()
    assert ended == list(range(1_000))


def test_what_is_raised_ends_it() -> None:
    schedule = Schedule(0.0)

    def fail() -> None:
        raise ZeroDivisionError

    schedule.at(1, lambda: schedule.wait(5))
    schedule.at(2, fail)
    with pytest.raises(ZeroDivisionError):
        schedule.run()


def test_transactions_that_meet_on_an_item_are_refused_and_nothing_of_them_is_written() -> None:
    schedule, client = limited()
    seen: list[str] = []
    schedule.at(1_001, refused(lambda: transaction(client, "shared", "a"), seen))
    schedule.at(1_001.001, refused(lambda: transaction(client, "b", "shared"), seen))
    schedule.at(1_001.001, refused(lambda: client.put_item(**item("shared")), seen))
    schedule.at(1_001.001, refused(lambda: transaction(client, "c"), seen))
    schedule.at(1_001 + 2 * HOLDS_SECONDS, refused(lambda: transaction(client, "d", "shared"), seen))
    schedule.run()
    assert sorted(seen) == ["None TransactionConflict", "TransactionConflictException", "done", "done", "done"]
    assert client.table.tables[TABLE].keys() == {"shared", "a", "c", "d"}
    assert client.conflicts == {"shared": 2}


def burst(partitions: int | None, count: int, keys: Callable[[int], list[str]]) -> tuple[int, LimitedDynamoDb]:
    """So many transactions in one moment: how many get through."""
    schedule, client = limited(partitions)
    seen: list[str] = []

    def once(number: int) -> Callable[[], None]:
        return refused(lambda: transaction(client, *keys(number)), seen)

    for number in range(count):
        # One after the other on an item that they share, each within its second.
        schedule.at(1_001 + number * 2 * HOLDS_SECONDS, once(number))
    schedule.run()
    return seen.count("done"), client


def test_an_item_takes_its_units_a_second() -> None:
    schedule, client = limited()
    seen: list[str] = []
    for _ in range(WRITES_A_SECOND + 200):
        schedule.at(1_001, refused(lambda: client.put_item(**item("one")), seen))
    schedule.run()
    assert client.throttled["one"] >= 200
    # botocore sends what was refused once more, within a second: there is room again.
    assert seen.count("done") > WRITES_A_SECOND


def test_a_new_table_has_few_partitions_and_a_warmed_one_enough() -> None:
    def keys(number: int) -> list[str]:
        return [f"{number} {place}" for place in range(100)]

    # 50 transactions a second, of 200 units each: 10,000 in a second, where four partitions take 4,000.
    done, client = burst(4, 50, keys)
    assert done < 45
    assert client.throttled["partition"] == 50 - done
    assert burst(None, 50, keys)[0] == 50


def test_the_service_serves_what_fits() -> None:
    world, seen = run(20, new_table=False)
    assert 15 * SECONDS < seen.offered == len(seen.started) < 25 * SECONDS
    assert seen.refused == {}
    assert 0.85 < seen.ended / seen.offered < 0.95  # the others are left unanswered
    ends = sum(pk.startswith("verification#") for pk in world.limited.table.tables["callverify"])
    assert ends == seen.offered
    assert len(seen.published) >= 3 * seen.ended
    assert max(seen.published) < 5
