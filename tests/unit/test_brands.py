"""Brands as the operator wrote them, and colours as people read them."""

import json

import pytest

from callverify.domain.brands import Brand, logo_origin, read_brand, read_brands
from callverify.domain.colors import contrast, corrected, text_on
from callverify.domain.errors import ConfigurationFault

GOOD = {
    "name": "Acme",
    "color": "#0a7d45",
    "logo_url": "https://cdn.example/a.svg",
    "support_url": "mailto:a@b.example",
}


def faults_of(text: str) -> list[str]:
    faults: list[ConfigurationFault] = []
    read_brands(text, faults.append)
    return [str(fault) for fault in faults]


def test_brands_are_read_by_their_id() -> None:
    faults: list[ConfigurationFault] = []
    assert read_brands(json.dumps({"acme": GOOD, "two": {"name": "Два"}}), faults.append) == {
        "acme": Brand(**GOOD),
        "two": Brand("Два"),
    }
    assert faults == []
    assert faults_of("") == []


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"color": "#0a7d45"}, "name"),
        (["Acme"], "name"),
        (GOOD | {"name": "x" * 61}, "`name`"),
        (GOOD | {"name": "a\nb"}, "`name`"),
        (GOOD | {"color": "green"}, "#1f5be0"),
        (GOOD | {"color": "#0a7"}, "#1f5be0"),
        (GOOD | {"logo_url": "http://cdn.example/a.svg"}, "`logo_url`"),
        (GOOD | {"logo_url": "https://cdn.example/a svg"}, "`logo_url`"),
        (GOOD | {"logo_url": "https://cdn.example;img-src/"}, "`logo_url`"),
        (GOOD | {"logo_url": "mailto:a@b.example"}, "`logo_url`"),
        (GOOD | {"support_url": "javascript:alert(1)"}, "`support_url`"),
        (GOOD | {"support_url": 7}, "`support_url`"),
        (GOOD | {"colour": "#0a7d45"}, "`colour` is unknown"),
    ],
)
def test_a_mistake_leaves_out_its_brand_alone_and_is_named(entry: object, named: str) -> None:
    text = json.dumps({"good": GOOD, "bad": entry})
    (fault,) = faults_of(text)
    assert fault.startswith("Brands.bad: ")
    assert named in fault
    assert read_brands(text, lambda _: None).keys() == {"good"}


@pytest.mark.parametrize("name", ["", "Acme", "a b", "-a", "a" * 33, 'a"]{}'])
def test_an_id_is_short_and_plain(name: str) -> None:
    (fault,) = faults_of(json.dumps({name: GOOD}))
    assert "its id must have" in fault


@pytest.mark.parametrize("text", ["{", "[]", "acme", '"acme"'])
def test_what_is_no_object_names_the_parameter(text: str) -> None:
    (fault,) = faults_of(text)
    assert fault.startswith("Brands: it must be a JSON object")


def test_a_mistake_in_the_stacks_own_brand_leaves_out_its_member_alone() -> None:
    faults: list[ConfigurationFault] = []
    brand = read_brand({"name": "Acme", "color": "red", "logo_url": "", "support_url": ""}, faults.append)
    assert brand == Brand("Acme")
    assert [fault.setting for fault in faults] == ["BrandColor"]


def test_the_origin_of_a_logo_is_as_browsers_write_it() -> None:
    assert logo_origin(Brand(logo_url="https://CDN.example:443/a.svg")) == "https://cdn.example"
    assert logo_origin(Brand()) is None


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)]
)
def test_contrast_is_wcags(one: str, other: str, ratio: float) -> None:
    """Pairs as WebAIM's contrast checker rates them (2026-11)."""
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.01)


def test_a_colour_moves_no_further_than_it_needs() -> None:
    assert corrected("#0a7d45", "#ffffff", 4.5) == "#0a7d45"
    assert 4.5 <= contrast(corrected("#ffdd2d", "#ffffff", 4.5), "#ffffff") < 5
    assert 4.5 <= contrast(corrected("#101820", "#181c22", 4.5), "#181c22") < 5
    assert (text_on("#ffdd2d"), text_on("#101820")) == ("#000000", "#ffffff")
