"""What a called person hears where the words are ours."""

import re

import pytest

from callverify.domain.phone import language_of
from callverify.providers.spoken import code_text


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("code", ["0001", "042742", "999999"])
def test_the_digits_are_apart_and_said_twice(language: str, code: str) -> None:
    text = code_text(code, language)
    assert text.count(", ".join(code)) == 2
    assert "".join(re.findall("[0-9]", text)) == code * 2
    assert not re.search("[0-9]{2}", text)


@pytest.mark.parametrize(
    ("locale", "number", "language"),
    [
        (None, "+79000000001", "ru"),
        (None, "+7******0001", "ru"),
        (None, "+491700000001", "en"),
        (None, "+49*******0001", "en"),
        ("en", "+79000000001", "en"),
        ("ru", "+491700000001", "ru"),
    ],
)
def test_the_language_is_the_one_asked_for_or_the_numbers(locale: str | None, number: str, language: str) -> None:
    assert language_of(locale, number) == language
