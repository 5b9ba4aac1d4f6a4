from __future__ import annotations

import gzip
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from callverify.domain.words import Deadline
from callverify.providers import http
from callverify.providers.http import (
    MAX_ANSWER_BYTES,
    MAX_IDLE_SECONDS,
    NoAnswer,
    NotSent,
    VendorHttp,
    json_object,
    masked,
    text_of,
    whole_number,
)
from local.trim import write_authorities
from tests.support.fake_vendor import FakeVendor


def soon() -> Deadline:
    return Deadline.after(5)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_connections_are_kept_and_left_after_a_pause(vendor: FakeVendor) -> None:
    clock = Clock()
    vendor_http = VendorHttp(clock)
    ports = []
    for pause in (0.0, MAX_IDLE_SECONDS - 1, MAX_IDLE_SECONDS + 1, 0.0):
        clock.now += pause
        vendor.answer(b"{}")
        vendor_http.send("GET", vendor.base_url, deadline=soon())
        ports.append(vendor.requests[-1].port)
    assert ports[0] == ports[1]
    assert ports[1] != ports[2]
    assert ports[2] == ports[3]


def test_the_largest_answer(vendor: FakeVendor) -> None:
    vendor.answer(b"x" * MAX_ANSWER_BYTES)
    assert len(VendorHttp().send("GET", vendor.base_url, deadline=soon()).body) == MAX_ANSWER_BYTES
    vendor.answer(b"x" * (MAX_ANSWER_BYTES + 1))
    with pytest.raises(NoAnswer):
        VendorHttp().send("GET", vendor.base_url, deadline=soon())


def test_a_small_answer_that_unpacks_to_a_large_one(vendor: FakeVendor) -> None:
    vendor.answer(gzip.compress(b"x" * 5_000_000), headers={"content-encoding": "gzip"})
    with pytest.raises(NoAnswer):
        VendorHttp().send("GET", vendor.base_url, deadline=soon())


def test_a_body_that_does_not_unpack(vendor: FakeVendor) -> None:
    vendor.answer(b"no gzip", headers={"content-encoding": "gzip"})
    with pytest.raises(NoAnswer):
        VendorHttp().send("GET", vendor.base_url, deadline=soon())


def test_a_body_shorter_than_announced(vendor: FakeVendor) -> None:
    vendor.behave("cut", b'{"ucaller_id": 1}')
    with pytest.raises(NoAnswer) as caught:
        VendorHttp().send("GET", vendor.base_url, deadline=soon())
    assert not caught.value.timed_out


def test_a_server_that_speaks_no_tls_may_have_seen_the_request_or_not(vendor: FakeVendor) -> None:
    with pytest.raises(NoAnswer):
        VendorHttp().send("GET", vendor.base_url.replace("http:", "https:"), deadline=soon())


def self_signed(folder: Path) -> tuple[ssl.SSLContext, x509.Certificate]:
    """A server's certificate for 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=36_500))
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    certificate = builder.add_extension(address, critical=False).sign(key, SHA256())
    chain = folder / "chain.pem"
    chain.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, certificate


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_server_whose_certificate_we_refuse_saw_nothing(
    trimmed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trimmed:
        write_authorities(tmp_path / "authorities")
        monkeypatch.setattr(http, "AUTHORITIES", tmp_path / "authorities")
    server = FakeVendor(self_signed(tmp_path)[0])
    try:
        with pytest.raises(NotSent):
            VendorHttp().send("GET", server.base_url, deadline=soon())
    finally:
        server.close()
    assert server.requests == []


def test_a_server_of_one_of_the_authorities_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = self_signed(tmp_path)
    bundle = f'# Label: "ours"\n{certificate.public_bytes(Encoding.PEM).decode()}'
    monkeypatch.setattr("local.trim.certifi.contents", lambda: bundle)
    write_authorities(tmp_path / "authorities")
    monkeypatch.setattr(http, "AUTHORITIES", tmp_path / "authorities")
    server = FakeVendor(context)
    server.answer(b"{}")
    try:
        assert VendorHttp().send("GET", server.base_url, deadline=soon()).body == b"{}"
    finally:
        server.close()


def test_an_unknown_host_saw_nothing() -> None:
    with pytest.raises(NotSent):
        VendorHttp().send("GET", "http://no-such-host.invalid/", deadline=soon())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Call +7 (900) 000-00-01 now", "Call +*** now"),
        ("79000000001", "***"),
        ("code 0427, limit 15", "code ***, limit 15"),
        ("bad s3cret/& here", "bad *** here"),
        ("bad S3CRET%2F%26 here", "bad *** here"),
        ("see https://example.org/path/token?x=1 for more", "see *** for more"),
        ("x" * 60_000, "x" * 200),
        ("1 " * 30_000, "*** "),
        ("\ud800", "?"),
        (None, "None"),
    ],
)
def test_masked(words: object, expected: str) -> None:
    assert masked(words, "", "s3cret/&") == expected


def test_a_secret_within_a_secret_is_no_hole() -> None:
    assert masked("key=abcdef", "abc", "abcdef") == "key=***"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (122760, 122760),
        ("000077", 77),
        (10**18 - 1, 10**18 - 1),
        (10**18, None),
        ("1" * 19, None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("", None),
        ("1 ", None),
        ("1\n", None),
        ("١", None),
        ("²", None),
        (None, None),
        ([1], None),
    ],
)
def test_whole_number(value: object, number: int | None) -> None:
    assert whole_number(value) == number


def test_json_object_takes_objects_alone() -> None:
    assert json_object(b'\xef\xbb\xbf{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert json_object('{"a": "ошибка"}'.encode("windows-1251")) == {"a": "ошибка"}
    for body in (b"", b"[]", b"1", b'"x"', b"NaN", b'{"a": Infinity}', b'{"a": {"b": 1, "b": 1}}', b"[" * 50_000):
        assert json_object(body) is None


def test_text_of_any_bytes() -> None:
    assert text_of("число".encode()) == text_of("число".encode("windows-1251")) == "число"
    assert isinstance(text_of(bytes(range(256))), str)
