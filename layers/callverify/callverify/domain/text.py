"""Text that somebody else wrote: whether it can be carried everywhere, and what of it may be quoted."""

from __future__ import annotations

import re

# Control characters; lone surrogates, which UTF-8 can't write; and Unicode's 66 noncharacters. JSON can write all of
# them. SQS refuses most.
_REFUSED = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)
# Four digits or more of any script, with no letter between them: `+7 900 123‑45‑67`.
_DIGITS = re.compile(r"\d(?:[\W_]*\d){3,}")


def is_plain(text: str) -> bool:
    """Whether text has no control character, noncharacter or lone surrogate."""
    return _REFUSED.search(text) is None


def quotable(text: str) -> str:
    """Text as an error or a log line may quote it: digits that could be a number's masked, however they are grouped."""
    return _DIGITS.sub("***", _REFUSED.sub("?", text))
