"""Looks for what must not be in a text, in every form in which it might get there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from urllib.parse import quote, quote_plus, unquote

HASHES = ("md5", "sha1", "sha256", "sha512")


def written_forms(e164: str) -> list[str]:
    """How people and vendors write a Russian number."""
    national = e164[2:]
    area, rest = national[:3], national[3:]
    grouped = f"{rest[:3]}-{rest[3:5]}-{rest[5:]}"
    return [
        e164,
        e164[1:],
        f"8{national}",
        national,
        f"+7 {area} {grouped.replace('-', ' ')}",
        f"8 ({area}) {grouped}",
        f"{area}.{rest[:3]}.{rest[3:]}",
        quote(e164, safe=""),
    ]


def digests(text: str) -> Iterator[str]:
    """Unkeyed hashes, which for a number or a code are as good as the thing itself."""
    for name in HASHES:
        digest = hashlib.new(name, text.encode(), usedforsecurity=False).digest()
        yield digest.hex()
        yield digest.hex().upper()
        yield base64.b64encode(digest).decode().rstrip("=")
        yield base64.urlsafe_b64encode(digest).decode().rstrip("=")


def encodings(text: str) -> Iterator[str]:
    """A text as URLs, JSON, hex and Base64 write it, also in the middle of something longer."""
    yield from {text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1], text.encode().hex()}
    for shift in range(3):
        # What the bytes before and after it also take part in is left out.
        whole = base64.b64encode(b"\0" * shift + text.encode()).decode().rstrip("=")
        middle = whole[(shift * 8 + 5) // 6 : (shift + len(text.encode())) * 8 // 6]
        yield middle
        yield middle.replace("+", "-").replace("/", "_")


class Searcher:
    """`secrets` by kind: whole texts. `phones` (E.164) and `codes` are looked for in their own ways."""

    def __init__(self, phones: Iterable[str], codes: Iterable[str], secrets: dict[str, Iterable[str]]) -> None:
        self.phones = set(phones)
        self.codes = set(codes)
        self.secrets = {kind: set(texts) for kind, texts in secrets.items()}

    @cached_property
    def _needles(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for phone in self.phones:
            for form in written_forms(phone):
                found |= dict.fromkeys(digests(form), "hash of a phone")
            found |= dict.fromkeys(encodings(phone[2:]), "phone")
        for code in self.codes:
            found |= dict.fromkeys(digests(code), "hash of a code")
        for kind, texts in self.secrets.items():
            for text in texts:
                found |= dict.fromkeys(digests(text), f"hash of {kind}")
                found |= dict.fromkeys(encodings(text), kind)
        return found

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        between = r"[^0-9A-Za-z]{0,3}"
        patterns = {phone: re.compile(between.join(phone[2:])) for phone in self.phones}
        return patterns | {code: re.compile(rf"(?<![0-9A-Za-z]){code}(?![0-9A-Za-z])") for code in self.codes}

    def find(self, text: str) -> set[str]:
        """The kinds of what is in the text, as it is or decoded."""
        once = unquote(text)
        texts = {text, once, unquote(once)}
        kinds = {kind for needle, kind in self._needles.items() if any(needle in each for each in texts)}
        for secret, pattern in self._patterns.items():
            if any(pattern.search(each) for each in texts):
                kinds.add("phone" if secret.startswith("+") else "code")
        return kinds
