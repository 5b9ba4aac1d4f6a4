"""A stack of its own, with windows short enough to be waited for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.background import background_stack
from tests.support.client import Api, Operator, Secrets, Vendors
from tests.support.receiver import Receiver

WINDOW_SECONDS = 12
MAX_DELIVERIES = 4


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    providers = {"telefon_ip": {"window_seconds": WINDOW_SECONDS}}
    directory: Path = tmp_path_factory.mktemp("unattended")
    with background_stack(directory, {"EventMaxDeliveries": str(MAX_DELIVERIES)}, providers=providers) as env:
        yield env | {"DEV_DIR": str(directory)}


@pytest.fixture(scope="session")
def used() -> Secrets:
    return Secrets()


@pytest.fixture(scope="session")
def api(stack: dict[str, str], used: Secrets) -> Api:
    return Api(stack, used)


@pytest.fixture(scope="session")
def vendors(stack: dict[str, str], used: Secrets) -> Vendors:
    return Vendors(stack, used)


@pytest.fixture(scope="session")
def operator(stack: dict[str, str]) -> Operator:
    return Operator(stack)


@pytest.fixture
def receiver(stack: dict[str, str]) -> Iterator[Receiver]:
    receiver = Receiver(stack["RECEIVER_URL"])
    yield receiver
    receiver.behave_well()
