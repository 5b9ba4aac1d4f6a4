"""Every limit at the largest value that template.yaml allows: an item holds 400 KB, and a list of starts grows."""

from __future__ import annotations

import pytest

from callverify.domain.claims import Counted, Unless
from callverify.domain.limits import CalendarLimit, RollingLimit, SealedLimit
from callverify.store import LimitReached
from callverify.store.calendar import FEW, key_of, shards_of
from tests.stack.engines.bench import NOW, Bench
from tests.support.template import PARAMETERS

WINDOW = 600


def maximum(parameter: str) -> int:
    return int(PARAMETERS[parameter]["MaxValue"])


LISTS = ["PhoneTenMinuteLimit", "IpTenMinuteLimit", "IpBlockTenMinuteLimit", "IpRefusedTenMinuteLimit", "PhoneDayLimit"]


@pytest.mark.parametrize("parameter", LISTS)
def test_a_list_of_starts_at_its_longest(bench: Bench, parameter: str) -> None:
    """The list is written as long as it may grow, with the last times just outside the window, and then cut."""
    limit = RollingLimit("l", parameter, maximum(parameter), WINDOW)
    longest = 2 * limit.count + 10
    times = [{"N": str(NOW - 1)}] * (limit.count - 1) + [{"N": str(NOW - WINDOW)}] * (longest - limit.count)
    bench.client.put_item(TableName=bench.table, Item={"pk": {"S": f"limit#l#{parameter}"}, "starts": {"L": times}})
    bench.count([limit], NOW)
    item = bench.item(f"limit#l#{parameter}")
    assert item is not None
    assert len(item["starts"]) == longest
    with pytest.raises(LimitReached):
        bench.count([limit], NOW)
    with pytest.raises(LimitReached):
        bench.count([Unless(limit)], NOW)
    bench.count([Counted(limit)], NOW)
    bench.count([limit], NOW + WINDOW)


def test_the_sealed_starts_of_a_block_at_their_longest(bench: Bench) -> None:
    keys = bench.keys
    limit = SealedLimit("l", "s", maximum("PrefixTenMinuteLimit"), WINDOW, keys.seal, keys.unseal)
    for number in range(3):
        bench.count([limit], NOW + number)
    item = bench.item("limit#l#s")
    assert item is not None
    assert len(item["sealed"]) > 8 * limit.count


@pytest.mark.parametrize(
    "parameter",
    [
        "KeyPaidDayLimit",
        "StackPaidHourLimit",
        "KeyFreeHourLimit",
        "KeyRefusedHourLimit",
        "KeySearchDayLimit",
        "KeyErasureDayLimit",
    ],
)
def test_a_counter_at_its_largest(bench: Bench, parameter: str) -> None:
    """Each of its shards has room for one more; a start tries a few of them."""
    limit = CalendarLimit("l", parameter, maximum(parameter), 3600)
    shards = shards_of(limit)
    for shard in range(shards):
        full = limit.count // shards + (shard < limit.count % shards)
        pk = key_of(limit, NOW) + (f"#{shard}" if shards > 1 else "")
        bench.client.put_item(TableName=bench.table, Item={"pk": {"S": pk}, "n": {"N": str(full - 1)}})
    for _ in range(min(FEW, shards)):
        bench.count([limit], NOW)
    with pytest.raises(LimitReached):
        bench.count([limit], NOW)
