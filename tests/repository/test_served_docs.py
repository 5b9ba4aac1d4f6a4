"""What /openapi.json and /docs serve is made of docs/openapi.yaml, and shows all of it."""

import re
from pathlib import Path

import pytest

from tests.repository.test_openapi import ERRORS, OPERATIONS
from tests.support.document import SCHEMAS
from tools.render_docs.__main__ import SOURCE, TARGET, filled, rendered

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


def test_every_example_of_a_request_is_a_command() -> None:
    commands = re.findall(r"<pre><code>(curl .*?)</code>", PAGE, flags=re.DOTALL)
    bodies = [operation.get("requestBody", {}).get("content", {}).values() for operation in OPERATIONS.values()]
    examples = [next((each["examples"] for each in body if "examples" in each), {"": None}) for body in bodies]
    assert len(commands) == sum(map(len, examples))
    assert all("{BASE_URL}/" in command for command in commands)
