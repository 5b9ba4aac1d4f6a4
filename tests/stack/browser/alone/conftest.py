"""The page alone, with an API that answers what the test says: it needs no stack, and hangs on nothing's speed."""

from collections.abc import Iterator

import pytest

from tests.stack.browser.alone.scripted import Scripted, serving


@pytest.fixture
def api() -> Iterator[Scripted]:
    with serving(Scripted()) as scripted:
        yield scripted


@pytest.fixture
def stack(api: Scripted) -> dict[str, str]:
    """In place of the deployed one: where the windows may go."""
    return {"BASE_URL": api.base_url, "SIMULATOR_URL": api.base_url}
