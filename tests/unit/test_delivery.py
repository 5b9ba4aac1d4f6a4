"""Where events may go, and what signs them."""

from __future__ import annotations

import base64
import json

import pytest

from callverify.domain.errors import ConfigurationFault
from callverify.events.deliver import is_public, signing_secrets


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_an_address_of_the_open_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1%eth0",
        "fec0::1",
        "feff::1",
        "ff0e::1",
        "ff02::1",
    ],
)
def test_any_other_address(address: str) -> None:
    assert not is_public(address)


def secret(length: int) -> str:
    return "whsec_" + base64.b64encode(bytes(length)).decode()


@pytest.mark.parametrize("good", [secret(24), secret(32), secret(64), secret(32).rstrip("=")])
def test_a_signing_secret(good: str) -> None:
    assert signing_secrets(json.dumps([secret(24), good])) == [secret(24), good]


@pytest.mark.parametrize(
    "bad",
    [
        "whsec_!!!",
        "whsec_",
        secret(23),
        secret(65),
        secret(32).removeprefix("whsec_"),
        secret(32) + "\n",
        "whsec_" + "\u0430" * 32,
        secret(32).replace("A", "-", 1),
        "WHSEC_" + "A" * 32,
        7,
        None,
        [secret(32)],
    ],
    ids=str,
)
def test_what_is_no_signing_secret_is_a_fault_that_names_it(bad: object) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        signing_secrets(json.dumps([secret(24), bad]))
    assert caught.value.setting == "event-signing[1]"
    assert caught.value.problem == "each secret must be `whsec_` and 24 to 64 bytes in base64"


@pytest.mark.parametrize("text", ["", "[]", "{}", "not JSON", "null", "[" * 50_000], ids=lambda text: text[:9])
def test_what_is_no_list_of_signing_secrets_is_a_fault(text: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        signing_secrets(text)
    assert caught.value.setting == "event-signing"
