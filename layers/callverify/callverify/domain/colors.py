"""Colours that can be read: a brand's, moved as far as its contrast needs and no further (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

# Of text in the browser's normal size, level AA.
READABLE = 4.5
# Of a filled button against what is around it: not WCAG's, whose measure is the button's text. It can be seen.
VISIBLE = 1.3
BLACK, WHITE = "#000000", "#ffffff"
_STEPS = 50


def contrast(one: str, other: str) -> float:
    """From 1 to 21, of two colours `#rrggbb`: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(color: str) -> str:
    """Black or white, whichever is read better there. One of them always has 4.5."""
    return max(WHITE, BLACK, key=lambda text: contrast(text, color))


def corrected(color: str, ground: str, least: float) -> str:
    """The colour, or the nearest mix of it with black or white that has this contrast with the ground."""
    toward = text_on(ground)
    mixes = (_mix(color, toward, step / _STEPS) for step in range(_STEPS + 1))
    return next(mix for mix in mixes if contrast(mix, ground) >= least)


def _luminance(color: str) -> float:
    parts = (part / 255 for part in _parts(color))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(color: str, toward: str, share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_parts(color), _parts(toward), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(color: str) -> tuple[int, int, int]:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
