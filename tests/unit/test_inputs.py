from __future__ import annotations

import json
from typing import Any

import pytest

from callverify import inputs
from callverify.errors import InvalidRequest
from callverify.models import Method, ProviderName
from callverify.service import METHODS

FLASH, REVERSE = Method.FLASH_CALL, Method.REVERSE_CALL


def parse(**fields: Any) -> inputs.StartRequest:
    body = json.dumps({"phone": "+79000000011"} | fields)
    origins = ("https://shop.example", "https://shop.example:8443")
    return inputs.parse_start(body, methods=METHODS, return_origins=origins)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({}, (FLASH, REVERSE)),
        ({"method": "flash_call"}, (FLASH,)),
        ({"provider": "smsc"}, (FLASH, REVERSE)),
        ({"method": "flash_call", "allowed_methods": ["reverse_call", "flash_call"]}, (REVERSE, FLASH)),
        ({"allowed_methods": ["flash_call", "flash_call"]}, (FLASH,)),
        ({"allowed_methods": None, "method": None}, (FLASH, REVERSE)),
    ],
)
def test_another_way_may_switch_to_the_named_method_else_to_all(
    fields: dict[str, Any], allowed: tuple[Method, ...]
) -> None:
    assert parse(**fields).allowed_methods == allowed


def test_everything_at_its_longest() -> None:
    request = parse(
        provider="ucaller",
        reference="я" * 64,
        metadata={"n" * 39 + str(number): "v" * 500 for number in range(10)},
        locale="en",
        end_user_ip="2001:DB8::1",
        return_url="https://shop.example/back?x=1#y",
    )
    assert request.provider is ProviderName.UCALLER
    assert len(request.metadata) == 10
    assert request.return_url == "https://shop.example/back?x=1#y"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ],
)
def test_an_address_is_counted_by_itself_and_ipv6_by_its_64(address: str, network: str) -> None:
    assert inputs.network_of(address) == network


@pytest.mark.parametrize(
    "url", ["https://shop.example", "https://SHOP.example/", "https://shop.example:443/", "https://shop.example:8443/a"]
)
def test_a_return_url_of_an_origin_on_the_list(url: str) -> None:
    assert parse(return_url=url).return_url == url


@pytest.mark.parametrize("code", ["0000", "0427", "9999"])
def test_a_code_is_four_digits(code: str) -> None:
    assert inputs.parse_code(json.dumps({"code": code})) == code


@pytest.mark.parametrize(("one", "other"), [('{"a":1,"b":2}', ' { "b" : 2,\n"a":1 }'), ("{}", "{ }"), (None, "")])
def test_bodies_that_mean_the_same_are_the_same(one: str | None, other: str) -> None:
    assert inputs.canonical(one) == inputs.canonical(other)


@pytest.mark.parametrize(("one", "other"), [('{"a":1}', '{"a":"1"}'), ("{", "{ "), ("[1,2]", "[2,1]"), ("1", "1.0")])
def test_bodies_that_differ_stay_apart(one: str, other: str) -> None:
    assert inputs.canonical(one) != inputs.canonical(other)


@pytest.mark.parametrize("value", ["-1", "+1", "1.0", "", "x", "٣", "101", "9" * 5000])
def test_a_number_in_a_query_is_within_its_bounds(value: str) -> None:
    assert inputs.parse_number("limit", None, default=7, most=100) == 7
    assert inputs.parse_number("limit", "100", default=7, most=100) == 100
    with pytest.raises(InvalidRequest, match="limit"):
        inputs.parse_number("limit", value, default=7, most=100)
