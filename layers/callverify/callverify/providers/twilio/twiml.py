"""TwiML, what Twilio does in a call (twilio.com/docs/voice/twiml, <Gather> and <Say>, read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping

from callverify.providers.spoken import code_text

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_LANGUAGES: Mapping[str, str] = {"ru": "ru-RU", "en": "en-US"}
_PROMPTS: Mapping[str, str] = {
    "ru": "Здравствуйте. Чтобы услышать код подтверждения, нажмите любую клавишу.",
    "en": "Hello. To hear your confirmation code, press any key.",
}
_KEY_SECONDS = 8  # from the end of the prompt

HANG_UP = f"{_HEAD}<Response><Hangup/></Response>"


def ask_for_key(action: str, language: str) -> str:
    """Ask for a key, post it to `action`, and hang up where none comes: a mailbox presses none.

    finishOnKey is empty, so that # and * are keys too: by default # ends the input without a digit.
    """
    prompt = _say(_PROMPTS[language], language, loop=2)
    gather = f'numDigits="1" finishOnKey="" timeout="{_KEY_SECONDS}" method="POST" action="{_escaped(action)}"'
    return f"{_HEAD}<Response><Gather {gather}>{prompt}</Gather><Hangup/></Response>"


def say_code(code: str, language: str) -> str:
    """The answer to a key: the code, twice. Then the document ends, and with it the call."""
    return f"{_HEAD}<Response>{_say(code_text(code, language), language)}<Hangup/></Response>"


def _say(text: str, language: str, loop: int = 1) -> str:
    return f'<Say language="{_LANGUAGES[language]}" loop="{loop}">{_escaped(text)}</Say>'


def _escaped(text: str) -> str:
    """For an attribute in double quotes, or between tags. xml.sax would cost every cold start some milliseconds."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text
