"""The attacks at a small size; `make attack` runs them in full. They need the embedded AWS, as the local stack does."""

from collections.abc import Iterator
from typing import Any

import pytest

from attacks import suite
from attacks.world import dynamodb

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.mark.parametrize("name", suite.ATTACKS)
def test_no_attack_gets_further_than_its_bound(client: Any, name: str) -> None:
    findings = suite.ATTACKS[name](client, **suite.SIZES["small"][name])
    assert findings
    assert [finding for finding in findings if not finding.holds] == []
    assert all(finding.tries > 0 for finding in findings)
