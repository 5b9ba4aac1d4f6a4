"""A stack of its own, which browsers of one origin may call and return to."""

from collections.abc import Iterator

import pytest

from local.background import background_stack
from tests.support.client import Api, Secrets, Vendors

ORIGIN = "https://shop.example"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    parameters = {"AllowedOrigins": ORIGIN, "ReturnOrigins": ORIGIN, "PrefixTenMinuteLimit": "1000"}
    with background_stack(tmp_path_factory.mktemp("contract"), parameters) as env:
        yield env


@pytest.fixture(scope="session")
def api(stack: dict[str, str]) -> Api:
    return Api(stack, Secrets())


@pytest.fixture(scope="session")
def vendors(stack: dict[str, str]) -> Vendors:
    return Vendors(stack, Secrets())
