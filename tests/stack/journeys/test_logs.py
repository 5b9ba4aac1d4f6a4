"""What the logs hold and what they must not. `used` in conftest.py looks through all of a run's log at its end."""

import pytest

from tests.support.client import Api, Operator, Secrets, until


def test_a_journey_can_be_followed_by_its_id(api: Api, operator: Operator, phone: str) -> None:
    started = api.started(phone, provider="smsc")
    (line,) = until(
        lambda: [line for line in operator.log_lines(started.id) if line["service"] == "start-verification"], bool
    )
    (attempt,) = line["attempts"]
    assert (attempt["provider"], attempt["outcome"]) == ("smsc", "started")
    assert line["request_id"]


@pytest.mark.parametrize(
    "log",
    [
        '{"message":"+79000001234"}',
        '{"message":"89000001234"}',
        '{"message":"8 (900) 000-12-34"}',
        '{"url":"https://vendor.example/?phone=79000001234"}',
        '{"code":"0427"}',
        '{"message":"code 0427 sent"}',
        '{"headers":{"authorization":"Bearer secret-text"}}',
    ],
)
def test_a_leak_would_be_found(log: str) -> None:
    used = Secrets()
    used.phones, used.codes, used.texts = {"+79000001234"}, {"0427"}, {"secret-text"}
    assert used.found_in(log)


def test_ids_times_and_masks_are_no_leak() -> None:
    used = Secrets()
    used.phones, used.codes, used.texts = {"+79000001234"}, {"0427"}, {"secret-text"}
    line = '{"timestamp":"2026-11-22 10:00:00,123+0427","request_id":"00000427-0427-0427-0427-000000000427",'
    assert used.found_in(line + '"verification_id":"vrf_0427"}') == []
