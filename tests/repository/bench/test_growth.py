"""What a journey asks of DynamoDB does not grow with the table: `make growth` shows it up to 10,000."""

import pytest

from attacks.world import CODED, dynamodb
from bench.field import Field, Vendors
from bench.kinds import kind_of

pytestmark = pytest.mark.stack


def test_requests_and_units_are_the_same_beside_ten_and_a_hundred_others() -> None:
    asked = []
    with dynamodb() as client:
        there = Field(client, Vendors())
        for count in (10, 90):
            there.fill(count)
            there.measure(1)  # what is remembered for some time is read now
            kinds = there.measure(2)
            asked.append(
                {
                    (kind, name): [(dict(each.requests), each.reads, each.writes) for each in step.asked]
                    for kind, steps in kinds.items()
                    for name, step in steps.items()
                }
            )
    assert asked[0] == asked[1]
    assert sum(writes for _, _, writes in asked[0][kind_of(*CODED[0]), "start"]) > 0
