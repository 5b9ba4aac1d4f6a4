"""What holds for the reports of every provider that reports, and for the paths that they come by."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callverify.domain.errors import Forbidden, InvalidRequest, NotFound
from callverify.providers.base import Per, Proof
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from callverify.service.webhooks import Request
from tests.support import payloads
from tests.support.cases import inbound, line_of
from tests.support.service import Parts
from tests.support.vendors import ACCOUNT_TOKEN

REPORTING = [name for name in NAMES if manifest(name).webhook]
# Each of its verifications has a token; those of the others are the account's.
BY_VERIFICATION = [name for name in REPORTING if (hook := manifest(name).webhook) and hook.per is Per.VERIFICATION]
FIELDS = sorted({field for payload in payloads.load_all() for field in payload.parameters or ()})
PARAMETERS = st.dictionaries(
    st.sampled_from([*FIELDS, "phone[]", "status"]) | st.text(max_size=5),
    st.lists(
        st.sampled_from(["1", "True", "79000000001", "1790053160", "", "d41d8cd98f00b204e9800998ecf8427e", "\ud800"])
        | st.text(max_size=12),
        max_size=3,
    ).map(tuple),
)


def unread() -> Mapping[str, tuple[str, ...]]:
    raise AssertionError("read, though its path is not ours")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=300, deadline=None)
@given(parameters=PARAMETERS)
def test_no_webhook_is_believed_or_makes_a_provider_raise_anything_else(
    name: str, parameters: Mapping[str, tuple[str, ...]]
) -> None:
    try:
        reports = line_of(name).client.open_webhook(inbound(name, parameters))
    except (NotFound, Forbidden, InvalidRequest):
        return
    assert all(report.evidence is None for report in reports)


@pytest.mark.parametrize("name", REPORTING)
def test_only_what_is_signed_is_evidence(name: str) -> None:
    """What a manifest calls a hint stays one, however well it is formed."""
    hook = manifest(name).webhook
    assert hook
    reports = [each for each in payloads.load_all() if (each.provider, each.operation) == (name, "webhook")]
    for recorded in reports:
        for report in line_of(name).client.open_webhook(recorded.inbound):
            # A pressed key proves nothing, signed or not.
            assert report.wants_code is (hook.say is not None)
            assert (report.evidence is None) is (hook.proof is Proof.HINT or report.wants_code)


@pytest.mark.parametrize("name", REPORTING)
@pytest.mark.parametrize(
    "token", ["", "x", "token-of-vrf_2", "тоукен", "\ud800", ACCOUNT_TOKEN[:-1], ACCOUNT_TOKEN + "x"]
)
def test_a_wrong_path_token_finds_nothing(name: str, token: str) -> None:
    """And nothing of the report is read."""
    hook, parts = manifest(name).webhook, Parts()
    assert hook
    rest = [token] if hook.per is Per.ACCOUNT else ["vrf_00000000000000000000000001", token]
    with pytest.raises(NotFound):
        parts.service.report(Request(name, rest, unread))


@pytest.mark.parametrize("name", NAMES)
def test_another_path_finds_nothing(name: str) -> None:
    parts, hook = Parts(), manifest(name).webhook
    verification_id = "vrf_00000000000000000000000001"
    token = parts.keys.webhook_token(verification_id)
    right = None if hook is None else 1 if hook.per is Per.ACCOUNT else 2
    for rest in ([], [ACCOUNT_TOKEN], [verification_id, token], [verification_id, token, ""], ["", ACCOUNT_TOKEN]):
        if len(rest) != right or not rest[0]:
            with pytest.raises(NotFound):
                parts.service.report(Request(name, rest, unread))


@pytest.mark.parametrize("name", BY_VERIFICATION)
def test_the_token_of_one_verification_opens_no_other(name: str) -> None:
    parts = Parts()
    token = parts.keys.webhook_token("vrf_00000000000000000000000001")
    with pytest.raises(NotFound):
        parts.service.report(Request(name, ["vrf_00000000000000000000000002", token], unread))
