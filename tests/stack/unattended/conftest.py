"""A stack of its own, with windows short enough to be waited for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from callverify.domain.words import Method
from callverify.providers.base import Proof
from callverify.providers.registry import manifests
from local.background import background_stack
from tests.support.client import Api, Operator, Secrets, Vendors
from tests.support.receiver import Receiver

WINDOW_SECONDS = 12
ROUTES = [(each.name, route) for each in manifests() for route in each.routes]
# Its user types a code; it can be asked whether its user has called, and has the short window; it signs its reports.
TYPED = next(name for name, route in ROUTES if route.method is Method.FLASH_CALL)
ASKED = next(name for name, route in ROUTES if route.read_back and not route.code)
SIGNING = next(
    name for name, route in ROUTES if route.webhook and route.webhook.proof is Proof.SIGNATURE and not route.webhook.say
)
MAX_DELIVERIES = 4


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    providers = {ASKED: {"window_seconds": WINDOW_SECONDS}}
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
