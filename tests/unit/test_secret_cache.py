"""How old a secret may be, and for how long it is used on when it can't be read."""

from __future__ import annotations

import pytest
from botocore.exceptions import BotoCoreError, ConnectTimeoutError

from callverify.runtime.secret_cache import ASK_AGAIN_SECONDS, USED_ON_SECONDS, SecretCache
from tests.support.failing import refusal

AGE = 240


BUSY = [
    refusal("ThrottlingException"),
    refusal("InternalServiceError", 500),
    refusal("ServiceUnavailable", 503),
    ConnectTimeoutError(endpoint_url="https://secretsmanager"),
]
FINAL = [
    refusal("AccessDeniedException"),
    refusal("ResourceNotFoundException"),
    refusal("DecryptionFailure"),
    refusal("InvalidRequestException"),
    BotoCoreError(),
    KeyError("API_KEYS_SECRET"),
]


class Manager:
    """Secrets Manager, and a clock."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.text = "first"
        self.error: Exception | None = None
        self.reads = 0
        self.told = 0
        self.cache = SecretCache(read=self._read, clock=lambda: self.now, unreadable=self._tell)

    def _read(self, _name: str) -> str:
        self.reads += 1
        if self.error:
            raise self.error
        return self.text

    def _tell(self, _name: str, _error: Exception) -> None:
        self.told += 1

    def get(self, *, force: bool = False) -> str:
        return self.cache.get("secret", max_age=AGE, force=force)


@pytest.fixture
def manager() -> Manager:
    return Manager()


def test_it_is_read_again_when_it_is_old_or_when_forced(manager: Manager) -> None:
    assert manager.get() == "first"
    manager.text = "second"
    manager.now += AGE - 1
    assert (manager.get(), manager.reads) == ("first", 1)
    manager.now += 1
    assert (manager.get(), manager.reads) == ("second", 2)
    manager.text = "third"
    assert (manager.get(force=True), manager.get(), manager.reads) == ("third", "third", 3)


@pytest.mark.parametrize("error", BUSY, ids=str)
def test_one_that_cannot_be_read_for_now_is_used_on_for_an_hour(manager: Manager, error: Exception) -> None:
    manager.get()
    manager.error = error
    for age in (AGE, USED_ON_SECONDS // 2, USED_ON_SECONDS - 1):
        manager.now = 1_000_000.0 + age
        assert manager.get() == "first"
    assert manager.told == 3
    manager.now = 1_000_000.0 + USED_ON_SECONDS
    with pytest.raises(type(error)):
        manager.get()
    manager.error = None
    assert manager.get() == "first"


@pytest.mark.parametrize("error", FINAL, ids=str)
def test_one_that_is_refused_is_not_used_on(manager: Manager, error: Exception) -> None:
    manager.get()
    manager.error = error
    manager.now += AGE
    with pytest.raises(type(error)):
        manager.get()
    assert manager.told == 0


@pytest.mark.parametrize("force", [False, True])
def test_a_manager_that_fails_is_asked_now_and_then(manager: Manager, force: bool) -> None:
    manager.get()
    manager.error = BUSY[0]
    manager.now += AGE
    for _ in range(20):
        assert manager.get(force=force) == "first"
        manager.now += 1
    assert manager.reads == 1 + 20 // ASK_AGAIN_SECONDS


def test_one_that_can_be_read_again_is_known_within_seconds(manager: Manager) -> None:
    manager.get()
    manager.error = BUSY[0]
    manager.now += 1800
    manager.get()
    manager.error, manager.text = None, "without the revoked key"
    manager.now += ASK_AGAIN_SECONDS
    assert manager.get() == "without the revoked key"


@pytest.mark.parametrize("error", BUSY + FINAL, ids=str)
def test_a_new_container_has_nothing_to_use_on(manager: Manager, error: Exception) -> None:
    manager.error = error
    with pytest.raises(type(error)):
        manager.get()
    assert manager.told == (error in BUSY)
