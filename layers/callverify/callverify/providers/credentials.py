"""Reading a provider's part of the secret `provider-credentials`; every fault names the field, and never its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from callverify.domain.errors import ConfigurationFault
from callverify.domain.value import value

# Goes into a URL's path as it is, and can't be "." or "..".
PATH_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~\-]*")
# Goes into a header as it is.
HEADER_SAFE = re.compile(r"[!-~]+")
PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")


class Field(Protocol):
    """A part of a manifest's `credentials`."""

    def read(self, given: Mapping[str, Any], setting: str) -> Mapping[str, str]:
        """The values of this field by name. `setting` says where they stand. Raises ConfigurationFault."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that it may have."""
        ...


@value
class Text:
    """A text of at least `least` characters, without spaces around it, all of them of `pattern`."""

    name: str
    least: int = 1
    pattern: re.Pattern[str] = PRINTABLE
    required: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def read(self, given: Mapping[str, Any], setting: str) -> Mapping[str, str]:
        setting = f"{setting}.{self.name}"
        text = given.get(self.name)
        if text is None or text == "":
            if not self.required:
                return {}
            raise ConfigurationFault(setting, "is missing")
        if not isinstance(text, str):
            raise ConfigurationFault(setting, "must be text")
        if len(text.strip()) < self.least:
            raise ConfigurationFault(setting, f"must have at least {self.least} characters, without spaces around it")
        if not self.pattern.fullmatch(text):
            raise ConfigurationFault(
                setting, "has characters that are not allowed: was it copied whole, without spaces?"
            )
        return {self.name: text}


@value
class Number:
    """A whole number above 0, as a JSON number or as its digits."""

    name: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def read(self, given: Mapping[str, Any], setting: str) -> Mapping[str, str]:
        number = given.get(self.name)
        if isinstance(number, bool) or not re.fullmatch(r"[1-9][0-9]{0,17}", str(number)):
            raise ConfigurationFault(f"{setting}.{self.name}", "must be a whole number")
        return {self.name: str(number)}


@value
class Either:
    """The first group of fields whose first one is given, else the last group."""

    groups: tuple[tuple[Text, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field.name for group in self.groups for field in group))

    def read(self, given: Mapping[str, Any], setting: str) -> Mapping[str, str]:
        group = next((group for group in self.groups if given.get(group[0].name)), self.groups[-1])
        return {name: text for field in group for name, text in field.read(given, setting).items()}
