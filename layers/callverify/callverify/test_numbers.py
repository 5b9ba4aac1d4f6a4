"""The numbers that a test key verifies. No vendor is asked, and each number always behaves the same."""

from __future__ import annotations

from callverify.frozen import dataclass
from callverify.models import Method

TEST_CODE = "0000"
ANSWER_AFTER_SECONDS = 2
TEST_REPEATS = 2
TEST_NUMBER_TO_CALL = "+79000000100"


@dataclass(frozen=True, slots=True)
class Scenario:
    """method: the only one it answers to, or None for any."""

    method: Method | None = None
    expires_at_once: bool = False
    refused: bool = False


TEST_NUMBERS = {
    "+79000000101": Scenario(Method.FLASH_CALL),
    "+79000000102": Scenario(expires_at_once=True),
    "+79000000103": Scenario(Method.REVERSE_CALL),
    "+79000000104": Scenario(refused=True),
}
