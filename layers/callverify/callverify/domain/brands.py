"""Whose page it is: the names, colours, logos and support links that the operator configured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from callverify.domain.errors import ConfigurationFault
from callverify.domain.origins import normal_origin
from callverify.domain.text import is_plain
from callverify.domain.value import value

MAX_NAME, MAX_URL = 60, 500
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_URL = re.compile(r"[!-~]+")
# By member of an entry of Brands: the parameter that holds the same of the stack's own brand.
PARAMETERS = {"name": "BrandName", "color": "BrandColor", "logo_url": "BrandLogoUrl", "support_url": "SupportUrl"}

Fault = Callable[[ConfigurationFault], None]


@value
class Brand:
    """color: `#rrggbb`. logo_url: https, or http of this machine. support_url: those, or mailto. "" for none."""

    name: str = ""
    color: str = ""
    logo_url: str = ""
    support_url: str = ""


def read_brand(members: Mapping[str, str], fault: Fault) -> Brand:
    """The stack's own brand. A member with a mistake is left out."""
    good: dict[str, str] = {}
    for member, text in members.items():
        if text and (problem := _problem(member, text)):
            fault(ConfigurationFault(PARAMETERS[member], problem))
        else:
            good[member] = text
    return Brand(**good)


def read_brands(text: str, fault: Fault) -> dict[str, Brand]:
    """The further brands, by the id that a start names. An entry with a mistake is left out."""
    if not text:
        return {}
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        fault(ConfigurationFault("Brands", 'it must be a JSON object such as {"acme": {"name": "Acme"}}'))
        return {}
    found = {}
    for name, entry in entries.items():
        if problem := _entry_problem(name, entry):
            fault(ConfigurationFault(f"Brands.{name}", problem))
        else:
            found[name] = Brand(**entry)
    return found


def logo_origin(brand: Brand) -> str | None:
    """The only place that the page loads this brand's logo from."""
    return _origin(brand.logo_url) if brand.logo_url else None


def _entry_problem(name: str, entry: Any) -> str | None:
    if not ID.fullmatch(name):
        return "its id must have 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit"
    if not isinstance(entry, dict) or not entry.get("name"):
        return "it needs a `name`"
    for member, text in entry.items():
        if member not in PARAMETERS:
            return f"`{member}` is unknown; known fields are {', '.join(PARAMETERS)}"
        if problem := _problem(member, text):
            return f"`{member}`: {problem}"
    return None


def _problem(member: str, text: Any) -> str | None:
    if not isinstance(text, str):
        return "it must be text"
    if member == "name":
        good = len(text) <= MAX_NAME and is_plain(text)
        return None if good else f"it must be text of at most {MAX_NAME} characters, without control characters"
    if member == "color":
        return None if _COLOR.fullmatch(text) else "it must be a color such as #1f5be0"
    mailto = member == "support_url" and text.startswith("mailto:") and "@" in text
    if len(text) <= MAX_URL and _URL.fullmatch(text) and (mailto or _origin(text)):
        return None
    return "it must be an https URL" + (" or a mailto: address" if member == "support_url" else "")


def _origin(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return normal_origin(f"{parts.scheme}://{parts.netloc}") if parts.scheme in ("https", "http") else None
