"""A stack of its own, with windows short enough to be waited for."""

from collections.abc import Iterator

import pytest

from callverify.domain.words import Method
from callverify.providers.base import Proof
from callverify.providers.registry import manifests
from tests.support.client import Api, Operator, Secrets, Vendors
from tests.support.receiver import Receiver
from tests.support.stacks import SHORT_WINDOWS, deployed

ROUTES = [(each.name, route) for each in manifests() for route in each.routes]
# Its user types a code of ours; it signs its reports.
TYPED = next(name for name, route in ROUTES if route.method is Method.FLASH_CALL and route.code and route.code.ours)
SIGNING = next(
    name for name, route in ROUTES if route.webhook and route.webhook.proof is Proof.SIGNATURE and not route.webhook.say
)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with deployed(SHORT_WINDOWS, tmp_path_factory.mktemp("unattended")) as env:
        yield env


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
def receiver(stack: dict[str, str]) -> Receiver:
    return Receiver(stack["RECEIVER_URL"])


@pytest.fixture
def misbehaving(alone: None, receiver: Receiver) -> Iterator[Receiver]:  # noqa: ARG001
    """The receiver, to be told to fail: nobody else needs it meanwhile."""
    yield receiver
    receiver.behave_well()
