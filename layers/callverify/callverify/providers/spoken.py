"""What a called person hears where the words are ours to choose."""

from __future__ import annotations

from collections.abc import Mapping

_CODE: Mapping[str, str] = {
    "ru": "Ваш код: {code}. Повторяю: {code}.",
    "en": "Your code is: {code}. Once more: {code}.",
}


def code_text(code: str, language: str) -> str:
    """A code, its digits apart and said twice. language: "ru" or "en"."""
    return _CODE[language].format(code=", ".join(code))
