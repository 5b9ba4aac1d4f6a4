from __future__ import annotations

import pytest

from callverify.domain.origins import normal_origin
from tests.support.origins import NO_ORIGINS, ORIGINS

# What only a look at the name tells: deployed, and logged as a fault of configuration.
NO_ORIGINS_BUT_BY_FORM = [
    "https://[2001:db8]",
    "https://xn--a\u2260.example",
    f"https://{'\N{CYRILLIC SMALL LETTER SHCHA}' * 60}.example",
]


@pytest.mark.parametrize(("text", "normal"), ORIGINS.items())
def test_an_origin_has_one_form(text: str, normal: str) -> None:
    assert normal_origin(text) == normal
    assert normal_origin(normal) == normal


@pytest.mark.parametrize("text", [*NO_ORIGINS, *NO_ORIGINS_BUT_BY_FORM, "", "https://a.example\n"])
def test_what_no_page_can_have_for_an_origin_is_none(text: str) -> None:
    assert normal_origin(text) is None
