"""What `callverify doctor` finds of a domain. tests/stack/cognito has what it finds of a user pool."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
import responses

from cli.doctor.doors import check_domain, check_user_pool
from cli.doctor.stack import Finding, Stack, State

DOMAIN = "verify.example.com"
# By the words of docs/operations.md.
DOMAIN_FAULTS: Mapping[str, tuple[Exception | int, str]] = {
    "the domain leads nowhere": (requests.ConnectionError(), "no answer: ConnectionError"),
    "the domain leads elsewhere": (404, "answered 404, not this API's 401"),
}


def domain_of(answer: Exception | int, body: Mapping[str, str] | None = None) -> list[Finding]:
    seen = SimpleNamespace(parameters={"DomainName": DOMAIN}, outputs={"DomainTarget": "d-1.example.com"})
    with responses.RequestsMock() as mocked:
        given: dict[str, Any] = {"body": answer} if isinstance(answer, Exception) else {"status": answer, "json": body}
        mocked.get(f"https://{DOMAIN}/v1/verifications/vrf_doctor", **given)
        return list(check_domain(cast(Stack, seen)))


def test_a_domain_that_leads_here_is_well() -> None:
    (found,) = domain_of(401, {"code": "unauthorized"})
    assert (found.check, found.state) == ("domain", State.OK)


@pytest.mark.parametrize("fault", DOMAIN_FAULTS)
def test_a_fault_of_a_domain_is_named(fault: str) -> None:
    answer, says = DOMAIN_FAULTS[fault]
    (found,) = domain_of(answer, {})
    assert (found.check, found.state) == ("domain", State.FAULT)
    assert says in found.says
    assert "d-1.example.com" in found.fix


def test_a_stack_without_either_has_nothing_to_look_at() -> None:
    seen = cast(Stack, SimpleNamespace(parameters={"DomainName": "", "CognitoUserPoolArn": ""}))
    assert [*check_domain(seen), *check_user_pool(seen)] == []
