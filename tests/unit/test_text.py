"""Which characters may be written: all that every later step can carry, and no others."""

from __future__ import annotations

import unicodedata

from callverify.domain.text import is_plain


def sqs_takes(code: int) -> bool:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html (2026-11)."""
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def test_control_characters_non_characters_and_surrogates_are_refused_and_nothing_else() -> None:
    refused = {code for code in range(0x110000) if not is_plain(chr(code))}
    non_characters = {code for code in range(0x110000) if 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE}
    control = {code for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cs")}
    assert len(non_characters) == 66
    assert refused == non_characters | control
    assert all(sqs_takes(code) for code in range(0x110000) if code not in refused)


def test_one_such_character_anywhere_is_enough() -> None:
    assert is_plain("заказ №17 👍🏽 \u200d\ufffd")
    assert not any(is_plain(text) for text in ("a\ufffe", "\ufffeb", "a\nb", "\U0001fffe" + "x" * 500))
