from __future__ import annotations

import pytest

from callverify.domain.errors import CallverifyError
from callverify.domain.phone import e164_from_vendor, parse_phone, readings


def parse(text: str, default: str = "RU", allowed: tuple[str, ...] = ("RU",)) -> str:
    return parse_phone(text, default_country=default, allowed_countries=allowed).e164


@pytest.mark.parametrize(
    "text",
    [
        "+79000000011",
        "89000000011",
        "79000000011",
        "9000000011",
        "8 (900) 000-00-11",
        "+7 900 000 00 11",
        "+7.900.000.00.11",
        " +79000000011 ",
        "8\u00a0900\u00a0000-00-11",
    ],
)
def test_one_number_in_many_writings(text: str) -> None:
    assert parse(text) == "+79000000011"


@pytest.mark.parametrize(
    "text",
    [
        "\u200e+79000000011",
        "\u2068+7 900 000\u201100\u201111\u2069",
        "+7\u00ad900\u200b000\ufeff0011",
        "+7\ufe0f9\ufe0f0\U000e01000000\u180b0011",
        "+7\u2009900\u202f000\u300000\u168011",
        "+7\u2012900\u2212000\uff0d00\u301c11",
        "(+7) 900 000-00-11",
        " ( + 7 900 )\u2007000-00-11",
        "tel:+7-900-000-00-11",
        "\u202a TEL: 8 900 000 00 11\u202c",
        "+٧٩٠٠٠٠٠٠٠١١",
        "۸ ۹۰۰ ۰۰۰ ۰۰ ۱۱",
        "७९००००000११",
        "９０００００００１１",
        "\uff0b７\uff08９００\uff09０００\uff0e００\uff0e１１",
        "+\U0001d7d59\U0001d7ce\U0001d7ce0000011",
    ],
)
def test_what_a_person_reads_as_the_number_is_the_number(text: str) -> None:
    assert parse(text) == "+79000000011"


@pytest.mark.parametrize(
    "text",
    [
        "\u202e+79000000011",
        "+7900\u202e0000011",
        "tel:tel:+79000000011",
        "tel:",
        "tel:+79000000011;ext=5",
        "(+79000000011",
        "+79000000011\u2460",
        "+7900000001\u00b9",
        "+7 900 000 00 1\u4e00",
        "+7\u03019000000011",
        "+7900\t0000011",
        "+7900\u20280000011",
        "\u200e" * 50,
    ],
)
def test_what_no_person_reads_as_a_number_is_none(text: str) -> None:
    with pytest.raises(CallverifyError) as refused:
        parse(text)
    assert refused.value.code == "invalid_phone"


@pytest.mark.parametrize(
    ("text", "region", "mask"),
    [
        ("+79000000011", "RU", "+7******0011"),
        ("+77010000011", "KZ", "+7******0011"),
        ("+375291234567", "BY", "+375*****4567"),
        ("+12015550123", "US", "+1******0123"),
    ],
)
def test_the_country_is_the_numbers_region_and_the_mask_keeps_its_code_and_four_digits(
    text: str, region: str, mask: str
) -> None:
    phone = parse_phone(text, default_country="RU", allowed_countries=("RU", "KZ", "BY", "US"))
    assert (phone.region, phone.mask, phone.digits) == (region, mask, text[1:])
    with pytest.raises(CallverifyError) as refused:
        parse_phone(text, default_country="RU", allowed_countries=("DE",))
    assert refused.value.code == "country_not_allowed"


@pytest.mark.parametrize(
    "text",
    ["", "+", "112", "+7900", "+790000000111", "8 800 555-35-35", "+74951234567", "+7 809 1000000",
     "+79000000011x5", "+7900000OO11", "a" * 10_000, "+" * 100, "\x00+79000000011"],
)  # fmt: skip
def test_what_is_no_mobile_number(text: str) -> None:
    with pytest.raises(CallverifyError) as refused:
        parse(text)
    assert refused.value.code == "invalid_phone"


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("79000000011", "+79000000011"),
        ("+79000000011", "+79000000011"),
        ("89000000011", "+89000000011"),
        ("8 (900) 000-00-11", "+89000000011"),
        (79000000011, "+79000000011"),
        ("375291234567", "+375291234567"),
        ("", None),
        (None, None),
        ("79000000011:1", None),
        ("++79000000011", None),
        ("123456", None),
        ("1234567890123456", None),
        ("٧٩٠٠٠٠٠٠٠١١", None),
        ([], None),
        (79000000011.0, None),
    ],
)
def test_a_vendors_number_in_e164(text: object, e164: str | None) -> None:
    assert e164_from_vendor(text) == e164


@pytest.mark.parametrize(
    ("text", "claimed", "e164"),
    [
        ("89644115786", "+79000000011", "+79644115786"),
        ("8 (964) 411-57-86", "+77010000011", "+79644115786"),
        ("79644115786", "+79000000011", "+79644115786"),
        ("84912345678", "+84912345679", "+84912345678"),
        ("8491234567", "+79000000011", "+8491234567"),
    ],
)
def test_an_8_is_read_as_plus_7_only_where_the_claimed_phone_begins_so(text: str, claimed: str, e164: str) -> None:
    assert e164_from_vendor(text, claimed) == e164


def test_a_caller_may_be_meant_in_either_reading() -> None:
    assert readings("+84912345678") == ("+84912345678", "+74912345678")
    assert readings("+79000000011") == ("+79000000011",)
    assert readings("+819012345678") == ("+819012345678",)
