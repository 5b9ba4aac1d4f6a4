"""What the table tells a reader who does not have the pepper."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from callverify.domain.phone import parse_phone
from callverify.domain.words import DAY
from tests.support.gateway import Api
from tests.support.surroundings import items

FLASH = {"method": "flash_call"}


def numbers_of(value: Any) -> set[int]:
    """Every whole number in an item, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set(itertools.chain.from_iterable(map(numbers_of, value)))
    return set() if isinstance(value, str | bool | type(None)) else {int(value)}


def blocks() -> list[dict[str, Any]]:
    return [item for item in items() if item["pk"].startswith("limit#prefix_10m#")]


def test_the_block_of_a_number_is_in_its_own_item_alone(api: Api) -> None:
    phones = ["+79000000011", "+79000000012", "+79010000011"]
    for phone in phones:
        assert api.start(phone, allowed_methods=["flash_call", "reverse_call"], **FLASH).status == 201
        api.advance(20)
    hashes = {api.keys.hash_block(phone) for phone in phones}
    found = blocks()
    assert {item["pk"].removeprefix("limit#prefix_10m#") for item in found} == hashes
    others = repr([item for item in items() if item not in found])
    assert not [each for each in hashes if each in others]


def test_the_item_of_a_block_holds_no_time_and_no_count(api: Api) -> None:
    for phone in ("+79000000011", "+79000000012", "+79000000013", "+79010000011"):
        api.start(phone, **FLASH)
        api.advance(7)
    api.simulators.fault("ucaller", "no_money")
    api.start("+79020000011", **FLASH)
    first, *others = blocks()
    assert len(others) == 2
    for item in (first, *others):
        assert set(item) == {"pk", "sealed", "ttl"}
        assert numbers_of(item) == {int(item["ttl"])}
        assert item["ttl"] % DAY == 0
        assert len(item["sealed"]) == len(first["sealed"])
    assert len({item["sealed"] for item in (first, *others)}) == 3
    assert {item["ttl"] for item in others} == {first["ttl"]}


def test_what_an_earlier_version_wrote_is_read(api: Api) -> None:
    """Its records hold the hash of the block, under a key that is no longer used."""
    started = api.start(allowed_methods=["flash_call", "reverse_call"], **FLASH)
    api.put(f"verification#{started.id}", block_hash="0" * 64)
    api.advance(20)
    assert api.switch(started.id, "+79000000011", "flash_call").status == 200
    assert api.check(started.id, api.code("+79000000011"))["valid"] is True


@pytest.mark.parametrize("last", ["0000", "9999"])
def test_a_block_is_of_ten_thousand_numbers(api: Api, last: str) -> None:
    phone = parse_phone(f"+7900001{last}", default_country="RU", allowed_countries=["RU"])
    assert api.keys.hash_block(phone.e164) == api.keys.hash_block("+79000015555")
