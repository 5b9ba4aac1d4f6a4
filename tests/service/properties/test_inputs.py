"""Whatever is sent: an answer, or a CallverifyError with words that can be sent back; and never more than a mask."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import phonenumbers
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from callverify.domain.errors import CallverifyError
from callverify.domain.keys import Keys
from callverify.domain.phone import e164_from_vendor, parse_phone
from callverify.domain.view import resource
from callverify.domain.words import Method
from callverify.providers.http import json_object, masked, whole_number
from callverify.providers.names import NAMES
from callverify.providers.registry import manifests
from callverify.service import requests
from tests.support.states import NOW, STARTED

settings.register_profile("callverify", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("callverify")

# Lone surrogates too: JSON can write them.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["phone", "method", "provider", "allowed_methods", "reference", "metadata", "end_user_ip", "locale",
         "return_url", "code"]  # fmt: skip
LIKELY = st.sampled_from(
    ["+79000000011", *Method, *NAMES, "ru", "198.51.100.7", "https://shop.example/a",
     "0427", ["flash_call"], {"a": "b"}]
)  # fmt: skip
BODIES = st.one_of(
    st.none(),
    ANY_TEXT,
    ANY_JSON.map(json.dumps),
    st.dictionaries(st.sampled_from(FIELDS), LIKELY | ANY_JSON, max_size=6).map(json.dumps),
)
METHODS = {manifest.name: [route.method for route in manifest.routes] for manifest in manifests()}
PARSERS: dict[str, Callable[[str | None], Any]] = {
    "start": lambda body: requests.parse_start(body, methods=METHODS, return_origins=("https://shop.example",)),
    "code": lambda body: requests.parse_code(body, 4),
    "code of unknown length": lambda body: requests.parse_code(body, None),
    "switch": requests.parse_switch,
    "nothing": requests.parse_nothing,
    "whether it is a switch": requests.is_switch,
}


def refusal_of[Given, Parsed](
    parse: Callable[[Given], Parsed], given: Given
) -> tuple[Parsed, None] | tuple[None, CallverifyError]:
    """What was parsed, or why not. Any other error than ours is a bug and passes through."""
    try:
        return parse(given), None
    except CallverifyError as error:
        return None, error


@pytest.mark.parametrize("name", PARSERS)
@given(body=BODIES)
@example(body="[" * 16_000)
@example(body='{"metadata":' + '{"a":' * 3_000)
@example(body="1" * 10_000)
@example(body='{"\\ud800": 1}')
@example(body="\ud800")
def test_any_body_is_parsed_or_refused_in_words_that_can_be_sent(name: str, body: str | None) -> None:
    parsed, refusal = refusal_of(PARSERS[name], body)
    if refusal:
        assert 400 <= int(refusal.status) < 500
        json.dumps(refusal.problem("r", ""), ensure_ascii=False).encode()
    elif isinstance(parsed, requests.StartRequest):
        stored = [parsed.reference or "", parsed.return_url or "", *parsed.metadata, *parsed.metadata.values()]
        for text in stored:
            text.encode()


@given(body=BODIES)
@example(body="\ud800")
def test_any_body_can_be_told_from_another(body: str | None) -> None:
    assert Keys("p" * 64).hash_body(requests.canonical(body))


@given(body=st.dictionaries(ANY_TEXT, ANY_JSON, max_size=5))
def test_the_order_of_names_does_not_matter(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    assert requests.canonical(json.dumps(body)) == requests.canonical(json.dumps(turned, indent=2))


@given(value=st.none() | ANY_TEXT)
def test_any_cursor_is_a_number_or_refused(value: str | None) -> None:
    cursor, refusal = refusal_of(requests.parse_cursor, value)
    assert refusal.code in ("invalid_request", "cursor_unknown") if refusal else cursor == int(value or 0)


@given(value=st.none() | ANY_TEXT)
def test_any_idempotency_key_is_taken_or_refused(value: str | None) -> None:
    key, refusal = refusal_of(requests.parse_idempotency_key, value)
    assert refusal.code == "invalid_request" if refusal else key == value


REGIONS = ("RU", "KZ", "BY", "US", "GB", "DE", "FR", "AM", "UZ", "TR")


@given(text=ANY_TEXT | st.from_regex(r"\+?[0-9 ()\-]{1,25}", fullmatch=True))
def test_any_text_is_a_phone_or_refused_without_repeating_it(text: str) -> None:
    phone, refusal = refusal_of(partial(parse_phone, default_country="RU", allowed_countries=REGIONS), text)
    if refusal:
        assert refusal.code in ("invalid_phone", "country_not_allowed")
        digits = re.sub(r"\D", "", text)
        assert len(digits) < 7 or digits not in refusal.detail
    else:
        assert phone is not None
        assert re.fullmatch(r"\+[0-9]{7,15}", phone.e164)


@given(region=st.sampled_from(REGIONS), last=st.integers(0, 9_999_999))
def test_a_mask_shows_the_country_code_and_four_digits_at_most(region: str, last: int) -> None:
    sample = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert sample is not None
    e164 = phonenumbers.format_number(sample, phonenumbers.PhoneNumberFormat.E164)
    text = e164[:-4] + f"{last % 10_000:04d}"
    phone, _ = refusal_of(partial(parse_phone, default_country="RU", allowed_countries=REGIONS), text)
    assume(phone)
    assert phone is not None
    code = f"+{sample.country_code}"
    assert phone.mask == code + "*" * (len(text) - len(code) - 4) + text[-4:]
    assert len(phone.mask) == len(text)
    shown = json.dumps(resource(replace(STARTED, phone_mask=phone.mask), NOW))
    assert phone.digits[-7:] not in shown


@given(text=ANY_JSON)
def test_a_vendors_number_is_e164_or_none(text: Any) -> None:
    found = e164_from_vendor(text)
    assert found is None or re.fullmatch(r"\+[0-9]{7,15}", found)
    number = whole_number(text)
    assert number is None or number >= 0


@given(body=st.binary(max_size=300) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_of_a_vendor_is_an_object_or_none(body: bytes) -> None:
    found = json_object(body)
    assert found is None or isinstance(found, dict)


@given(before=ANY_TEXT, after=ANY_TEXT, secret=st.from_regex(r"[A-Za-z0-9/+]{8,32}", fullmatch=True))
def test_a_vendors_words_are_logged_without_numbers_and_secrets(before: str, after: str, secret: str) -> None:
    words = masked(f"{before} 79000000011 {secret} 8 (900) 000-00-11 {after}", secret)
    words.encode()
    assert len(words) <= 200
    assert "9000000011" not in words
    assert "000-00-11" not in words
    # "*" stands for what was there; a secret that surrounding text completes by chance is not the secret's own place.
    if secret not in before + after:
        assert secret.lower() not in words.lower()
