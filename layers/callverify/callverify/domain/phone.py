"""Phone numbers: parse and judge what callers send, and bring what vendors send into E.164."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from callverify.domain.errors import CountryNotAllowed, InvalidPhone
from callverify.domain.words import Phone

_ALLOWED_CHARACTERS = re.compile(r"\+?[0-9 ().\-]{4,40}")
_SCHEME = re.compile(r"^tel: *", re.IGNORECASE)
_PLUS_IN_BRACKETS = re.compile(r"^\( *(\+[0-9 ]+)\)")
# Of Unicode's dashes, those that are no punctuation; and the one of Japanese keyboards.
_OTHER_DASHES = "\u2053\u207b\u208b\u2212\u30fc"
_RIGHT_TO_LEFT_OVERRIDE = "\u202e"


def parse_phone(text: str, *, default_country: str, allowed_countries: Collection[str] | None) -> Phone:
    """The mobile number that `text` names, in E.164 or in a national format of `default_country` (ISO 3166-1 alpha-2).

    Raises InvalidPhone for anything that is not a possible mobile number, and CountryNotAllowed for a region that is
    not in `allowed_countries` (None: any is). The region is that of the number's own range: +7 7xx is Kazakhstan.
    """
    # Imported here: the functions that never parse a caller's number should not wait for it.
    from phonenumbers import phonenumberutil as phonenumbers
    from phonenumbers.phonenumberutil import PhoneNumberType

    text = _as_read(text)
    if not _ALLOWED_CHARACTERS.fullmatch(text):
        raise InvalidPhone(
            "`phone` must be a number in E.164 such as +79000000101, or in the national format of "
            f"{default_country}, without letters or an extension."
        )
    try:
        number = phonenumbers.parse(text, default_country)
    except phonenumbers.NumberParseException:
        raise InvalidPhone(
            f"`phone` is not a number. Send E.164 such as +79000000101, or the national format of {default_country}."
        ) from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise InvalidPhone("`phone` does not exist in the numbering plan of its country. Check the digits.")
    region = phonenumbers.region_code_for_number(number) or ""
    kind = phonenumbers.number_type(number)
    if kind not in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE):
        raise InvalidPhone("`phone` is not a mobile number. Only mobile numbers can be verified by a call.")
    if allowed_countries is not None and region not in allowed_countries:
        raise CountryNotAllowed(
            f"`phone` is a number of {region or 'another region'}. "
            f"Allowed countries: {', '.join(sorted(allowed_countries))}."
        )
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164=e164, region=region, mask=_mask(e164, len(str(number.country_code))))


def _as_read(text: str) -> str:
    """A number as a person reads it, in ASCII: without what is invisible, with plain spaces, dashes and digits.

    Left as it is where U+202E shows its digits in another order.
    """
    if _RIGHT_TO_LEFT_OVERRIDE in text:
        return text
    text = _SCHEME.sub("", "".join(map(_plain, text)).strip())
    return _PLUS_IN_BRACKETS.sub(r"\1 ", text)


def _plain(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Cf" or "VARIATION SELECTOR" in unicodedata.name(character, ""):
        return ""
    if category == "Zs":
        return " "
    if category == "Pd" or character in _OTHER_DASHES:
        return "-"
    if category == "Nd":
        return str(unicodedata.decimal(character))
    # Full-width forms, from an East Asian keyboard.
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain in ("+", "(", ")", ".") else character


def load_numbers_of(country: str) -> None:
    """Import what `parse_phone` imports, and have it read the numbering plan of one country."""
    from phonenumbers import phonenumberutil as phonenumbers

    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    if example and phonenumbers.is_valid_number(example):
        phonenumbers.number_type(example)


def _mask(e164: str, country_code_length: int) -> str:
    head = 1 + country_code_length
    return e164[:head] + "*" * (len(e164) - head - 4) + e164[-4:]


def e164_from_vendor(text: object, claimed: str = "") -> str | None:
    """The E.164 form of a number as a vendor writes it, with or without +, or None.

    claimed: the phone that is being verified (E.164). Only if it begins with +7, an 8… is read as Russia's +7…
    """
    digits = re.sub(r"[\s()\-]", "", str(text)).removeprefix("+") if isinstance(text, str | int) else ""
    if not re.fullmatch(r"[0-9]{7,15}", digits):
        return None
    return readings("+" + digits)[-1] if claimed.startswith("+7") else "+" + digits


def readings(number: str) -> tuple[str, ...]:
    """What a vendor may mean by a number that was read without knowing the claimed phone: itself, or +7… for 8…

    To be compared with the claimed phone, so that only one that begins with +7 is met by the second. Decision 74.
    """
    return (number, "+7" + number[2:]) if re.fullmatch(r"\+8[0-9]{10}", number) else (number,)


def language_of(locale: str | None, number: str) -> str:
    """What to speak: the locale that was asked for, else the language of a number, in E.164 or masked. "ru" or "en"."""
    return locale or ("ru" if number.startswith("+7") else "en")
