from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fake_vendor import FakeVendor


@pytest.fixture
def vendor() -> Iterator[FakeVendor]:
    server = FakeVendor()
    yield server
    server.close()
