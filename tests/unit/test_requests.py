from __future__ import annotations

import json
from typing import Any

import pytest

from callverify.domain.addresses import network_block_of, network_of
from callverify.domain.errors import InvalidRequest
from callverify.domain.words import Method
from callverify.service import requests

FLASH, REVERSE = Method.FLASH_CALL, Method.REVERSE_CALL
# As the lane tells them: what each provider's configured routes do, in the operator's order.
METHODS = {"telefon_ip": [REVERSE], "smsc": [REVERSE], "ucaller": [FLASH]}


def parse(**fields: Any) -> requests.StartRequest:
    body = json.dumps({"phone": "+79000000011"} | fields)
    origins = ("https://shop.example", "https://shop.example:8443")
    return requests.parse_start(body, methods=METHODS, return_origins=origins)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({}, (REVERSE, FLASH)),
        ({"method": "flash_call"}, (FLASH,)),
        ({"provider": "smsc"}, (REVERSE, FLASH)),
        ({"method": "flash_call", "allowed_methods": ["reverse_call", "flash_call"]}, (REVERSE, FLASH)),
        ({"allowed_methods": ["flash_call", "flash_call"]}, (FLASH,)),
        ({"allowed_methods": None, "method": None}, (REVERSE, FLASH)),
    ],
)
def test_a_switch_may_use_the_named_method_else_all_that_are_configured(
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
    assert request.provider == "ucaller"
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
    assert network_of(address) == network


def test_the_networks_of_one_line_are_one_block_where_there_are_blocks() -> None:
    assert network_block_of("2001:db8:1:2::/64") == network_block_of("2001:db8:1:ff::/64")
    assert network_block_of("2001:db8:1:2::/64") != network_block_of("2001:db8:1:100::/64")
    assert network_block_of("198.51.100.7") is None


@pytest.mark.parametrize(
    "url", ["https://shop.example", "https://SHOP.example/", "https://shop.example:443/", "https://shop.example:8443/a"]
)
def test_a_return_url_of_an_origin_on_the_list(url: str) -> None:
    assert parse(return_url=url).return_url == url


@pytest.mark.parametrize("code", ["0000", "0427", "9999", "000000", "042742"])
def test_a_code_has_as_many_digits_as_its_challenge(code: str) -> None:
    body = json.dumps({"code": code})
    assert requests.parse_code(body, len(code)) == code
    other = 10 - len(code)
    with pytest.raises(InvalidRequest, match=f"{other} digits"):
        requests.parse_code(body, other)
    assert requests.parse_code(body, None) == code


@pytest.mark.parametrize(
    ("body", "switch"),
    [
        (None, False),
        ("", False),
        ("{}", False),
        ("[]", False),
        ("{", False),
        ("[" * 50_000, False),
        ('{"code": "0427"}', False),
        ('{"phone": 1}', True),
        ('{"method": null}', True),
        ('{"phone": "+79000000011", "method": "flash_call"}', True),
    ],
    ids=lambda value: str(value)[:20],
)
def test_version_1s_switch_is_known_by_its_fields(body: str | None, switch: bool) -> None:
    assert requests.is_switch(body) is switch


def test_a_switch_is_a_phone_and_a_method() -> None:
    request = requests.parse_switch('{"phone": "8 900 000-00-11", "method": "reverse_call"}')
    assert (request.phone, request.method) == ("8 900 000-00-11", REVERSE)


@pytest.mark.parametrize(("one", "other"), [('{"a":1,"b":2}', ' { "b" : 2,\n"a":1 }'), ("{}", "{ }"), (None, "")])
def test_bodies_that_mean_the_same_are_the_same(one: str | None, other: str) -> None:
    assert requests.canonical(one) == requests.canonical(other)


@pytest.mark.parametrize(("one", "other"), [('{"a":1}', '{"a":"1"}'), ("{", "{ "), ("[1,2]", "[2,1]"), ("1", "1.0")])
def test_bodies_that_differ_stay_apart(one: str, other: str) -> None:
    assert requests.canonical(one) != requests.canonical(other)


@pytest.mark.parametrize("value", ["-1", "+1", "1.0", "", "x", "٣", "101", "9" * 5000])
def test_a_number_in_a_query_is_within_its_bounds(value: str) -> None:
    assert requests.parse_number("limit", None, default=7, most=100) == 7
    assert requests.parse_number("limit", "100", default=7, most=100) == 100
    with pytest.raises(InvalidRequest, match="limit"):
        requests.parse_number("limit", value, default=7, most=100)
