"""Safari 14.0 and Chrome 86 have what the page uses.

Every window of the browser tests is without what is newer (NEWER), so what they reach is seen to work. Here is what a
browser of today cannot show by running: syntax, names in branches that no test takes, and style.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from tests.stack.browser.conftest import ACORN, NEWER, ROOT

PAGE = ROOT / "functions/serve_page"
SCRIPTS = sorted(PAGE.glob("*.js"))
STYLE = (PAGE / "style.css").read_text()
PARSE = "source => { acorn.parse(source, { ecmaVersion: 2020 }); }"
# Of style: the selectors and properties that came with Safari 14.1 to 15.4, or Chrome 87 to 105.
NEWER_STYLE = re.compile(
    r"(?<![\w-])inset\s*:|aspect-ratio|accent-color|color-mix|:has\(|:is\(|:where\(|@layer|@container"
)


def written(owner: str, name: str) -> str:
    """How a script would use it, as a pattern."""
    if owner == "window":
        return rf"\b{name}\b"
    return rf"\.{name}\(" if "." in owner else rf"\b{owner}\.{name}\b"


def rules(style: str) -> list[tuple[str, str]]:
    return re.findall(r"([^{}]+){([^{}]*)}", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_syntax(window: Page, script: Path) -> None:
    window.evaluate(ACORN.read_text())
    window.evaluate(PARSE, script.read_text())
    # Which the parser has known since 2018, and Safari since 16.4.
    assert not re.search(r"\(\?<[=!]", script.read_text())


@pytest.mark.parametrize(
    "newer", ["class A { static b = 1; }", "a ??= b;", "1_000;", "class A { #b() {} }", "await a;"]
)
def test_newer_syntax_is_seen(window: Page, newer: str) -> None:
    window.evaluate(ACORN.read_text())
    with pytest.raises(Error, match=r"SyntaxError|Unexpected token"):
        window.evaluate(PARSE, newer)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_names(script: Path) -> None:
    text = script.read_text()
    used = [
        f"{owner}.{name}"
        for owner, names in NEWER.items()
        for name in names.split()
        if re.search(written(owner, name), text)
    ]
    assert used == []


def test_style() -> None:
    found = rules(STYLE)
    assert len(found) > 60
    assert NEWER_STYLE.findall(STYLE) == []
    # Safari has gaps in grids since 12, in flexible boxes since 14.1.
    assert [selector for selector, rule in found if "display: flex" in rule and re.search(r"\bgap\s*:", rule)] == []
    # A unit that is newer has an older one before it.
    for _, rule in found:
        assert not re.search(r"\d(?:dvh|svh|lvh)", rule) or re.search(r"\dvh", rule)


def test_every_window_is_without_what_is_newer(window: Page) -> None:
    assert window.evaluate("[typeof Object.hasOwn, typeof [].at, typeof structuredClone]") == ["undefined"] * 3
