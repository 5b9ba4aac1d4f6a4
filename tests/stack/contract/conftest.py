"""The deployed service and its vendors."""

import pytest

from tests.support.client import Api, Secrets, Vendors


@pytest.fixture(scope="session")
def api(stack: dict[str, str]) -> Api:
    return Api(stack, Secrets())


@pytest.fixture(scope="session")
def vendors(stack: dict[str, str]) -> Vendors:
    return Vendors(stack, Secrets())
