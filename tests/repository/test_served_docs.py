"""What /openapi.json and /docs serve is made of docs/openapi.yaml, and shows all of it."""

import ast
import html
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.repository.test_openapi import ERRORS, OPERATIONS
from tests.support.document import SCHEMAS
from tools.render_docs.__main__ import FOR_CUSTOMERS, SOURCE, TARGET, filled, rendered
from tools.render_docs.examples import LANGUAGES

MADE = rendered()
PAGE = MADE["docs.html"]
IDS = set(re.findall(r'\sid="([^"]+)"', PAGE))


@pytest.mark.parametrize("name", MADE)
def test_what_is_served_is_not_out_of_date(name: str) -> None:
    assert Path(TARGET / name).read_text() == MADE[name], "run `make docs`"


def test_the_document_knows_what_the_code_knows() -> None:
    assert SOURCE.read_text() == filled(SOURCE.read_text()), "run `make docs`"


def test_every_operation_error_and_schema_has_an_anchor() -> None:
    expected = {operation["operationId"] for operation in OPERATIONS.values()}
    expected |= {f"error-{code}" for code in ERRORS} | {f"schema-{name}" for name in SCHEMAS}
    assert expected <= IDS


def test_links_within_the_page_lead_somewhere() -> None:
    assert set(re.findall(r'href="#([^"]+)"', PAGE)) <= IDS
    assert len(re.findall(r'\sid="', PAGE)) == len(IDS)


def called(operation: dict[str, Any]) -> bool:
    """Whether a customer's code calls it."""
    return operation["tags"][0] in FOR_CUSTOMERS


def shown(language: str, within: str = PAGE) -> list[str]:
    """The examples in one language, as they are pasted."""
    found = re.findall(rf'<div data-language="{language}">.*?<pre><code>(.*?)</code>', within, flags=re.DOTALL)
    return list(map(html.unescape, found))


def part(id: str) -> str:  # noqa: A002
    """An article or section of the page, by its id."""
    kind, _, rest = PAGE[PAGE.rindex("<", 0, PAGE.index(f' id="{id}"')) :].partition(" ")
    return rest.partition(f"</{kind[1:]}>")[0]


def test_every_operation_has_an_example_of_each_body() -> None:
    commands = [command for command in shown("curl") if "{BASE_URL}/" in command]
    bodies = [operation.get("requestBody", {}).get("content", {}).values() for operation in OPERATIONS.values()]
    examples = [next((each["examples"] for each in body if "examples" in each), {"": None}) for body in bodies]
    assert len(commands) == sum(map(len, examples))


@pytest.mark.parametrize("name", sorted(each["operationId"] for each in OPERATIONS.values() if called(each)))
def test_what_a_customer_calls_has_examples_in_every_language(name: str, tmp_path: Path) -> None:
    found = {language: shown(language, part(name)) for language in LANGUAGES}
    assert {len(each) for each in found.values()} == {len(found["curl"])} != {0}
    for texts in zip(*found.values(), strict=True):
        # They make the same request.
        assert len({re.search(r"\{BASE_URL\}[^\s\"]*", text)[0] for text in texts}) == 1  # type: ignore[index]
        assert len({"Idempotency-Key" in text for text in texts}) == 1
    for text in found["python"]:
        ast.parse(text)
    for text in found["javascript"]:
        (tmp_path / "example.mjs").write_text(text)
        subprocess.run(["node", "--check", tmp_path / "example.mjs"], check=True, capture_output=True)


def test_customers_come_before_browsers_and_vendors() -> None:
    order = [
        PAGE.index(f'<article id="{operation["operationId"]}"')
        for operation in OPERATIONS.values()
        if called(operation)
    ]
    others = [PAGE.index(f'<article id="{each["operationId"]}"') for each in OPERATIONS.values() if not called(each)]
    assert PAGE.index('id="quick-start"') < min(order)
    assert max(order) < min(others)
    preflights = [
        PAGE.index(f'id="{each["operationId"]}"') for name, each in OPERATIONS.items() if name.startswith("options")
    ]
    assert PAGE.index('id="getPage"') < PAGE.index('id="getPageFile"') < min(preflights)


def test_every_error_says_what_to_do() -> None:
    advice = SCHEMAS["Problem"]["properties"]["code"]["x-advice"]
    assert advice.keys() == ERRORS.keys()
    assert all(name in SCHEMAS["Problem"]["properties"]["code"]["enum"] for name in advice)
