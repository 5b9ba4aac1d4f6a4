from __future__ import annotations

import hashlib
import hmac
from collections import Counter

import pytest

from callverify.domain.keys import Keys

PEPPER = "p" * 64
ID = "vrf_0123456789abcdefghjkmnpqrs"


@pytest.fixture
def keys() -> Keys:
    return Keys(PEPPER)


def test_a_code_is_the_same_for_a_retry_and_another_for_each_attempt(keys: Keys) -> None:
    assert keys.code(ID, 1) == Keys(PEPPER).code(ID, 1)
    assert len({keys.code(ID, attempt) for attempt in range(1, 21)}) > 15
    assert keys.code(ID, 1) != Keys("q" * 64).code(ID, 1)


def test_codes_are_0001_to_9999_evenly(keys: Keys) -> None:
    counts = Counter(keys.code(f"vrf_{number}", 1) for number in range(50_000))
    assert "0000" not in counts
    assert all(len(code) == 4 and code.isdigit() for code in counts)
    assert {code[0] for code in counts} == set("0123456789")
    # 9,999 cells of 5 expected: chi-square has mean 9,998 and standard deviation 141. The ids are fixed: no flake.
    chi_square = sum((counts[f"{code:04d}"] - 50_000 / 9999) ** 2 / (50_000 / 9999) for code in range(1, 10_000))
    assert 9_998 - 5 * 141 < chi_square < 9_998 + 5 * 141


def test_a_longer_code_has_every_digit_in_every_place(keys: Keys) -> None:
    codes = {keys.code(f"vrf_{number}", 1, 6) for number in range(2_000)}
    assert len(codes) > 1_990
    for place in range(6):
        assert {code[place] for code in codes} == set("0123456789")


@pytest.mark.parametrize(("digits", "last", "first"), [(4, "9999", "0001"), (6, "999999", "000001")])
def test_the_uneven_end_of_the_range_is_refused_and_the_next_word_taken(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, digits: int, last: str, first: str
) -> None:
    """2**32 is no multiple of 9999, nor of 999999: the words at its end would favour the low codes."""
    uneven = 2**32 // int(last) * int(last)

    def words(*values: int) -> bytes:
        return b"".join(value.to_bytes(4) for value in values).ljust(32, b"\xff")

    rounds = [words(*[2**32 - 1] * 8), words(uneven, 2**32 - 1, uneven - 1)]
    monkeypatch.setattr(Keys, "_digest", lambda *_: rounds.pop(0))
    assert keys.code(ID, 1, digits) == last
    rounds[:] = [words(uneven, 0)]
    assert keys.code(ID, 1, digits) == first


def test_a_key_per_use(keys: Keys) -> None:
    text = "+79000000011"
    derived = [
        keys.hash_phone(text),
        keys.hash_address(text),
        keys.hash_body(text),
        keys.hash_block(text + "0000"),
        keys.webhook_token(text),
        hmac.digest(PEPPER.encode(), text.encode(), hashlib.sha256).hex(),
        hashlib.sha256(text.encode()).hexdigest(),
    ]
    assert len(set(derived)) == len(derived)


def test_what_is_sealed_is_read_again_and_looks_new_each_time(keys: Keys) -> None:
    for content in (b"", b"1", b"a" * 31, b"a" * 32, b"a" * 33, bytes(4000)):
        sealed = [keys.seal(content) for _ in range(3)]
        assert len(set(sealed)) == 3
        assert {keys.unseal(each) for each in sealed} == {content}
        assert {Keys("another pepper").unseal(each) for each in sealed} != {content} or not content
    assert len({keys.seal(bytes(32))[30:] for _ in range(100)}) == 100


def test_a_block_is_all_but_the_last_four_digits(keys: Keys) -> None:
    assert keys.hash_block("+79000000011") == keys.hash_block("+79000009999") != keys.hash_block("+79000010011")


def test_an_idempotency_key_belongs_to_one_key_id(keys: Keys) -> None:
    assert keys.hash_idempotency_key("a", "bc") != keys.hash_idempotency_key("ab", "c")


def test_a_client_token_is_the_same_each_time_and_ends_30_minutes_after_the_start(keys: Keys) -> None:
    token = keys.client_token(ID, 1_800_000_000)
    assert token == keys.client_token(ID, 1_800_000_000)
    assert keys.open_client_token(token) == (ID, 1_800_001_800)


def test_any_change_of_a_client_token_makes_it_worthless(keys: Keys) -> None:
    token = keys.client_token(ID, 1_800_000_000)
    for at in range(len(token)):
        for other in "0aZ._-é":
            if other != token[at]:
                assert keys.open_client_token(token[:at] + other + token[at + 1 :]) is None
        assert keys.open_client_token(token[:at] + token[at + 1 :]) is None
        assert keys.open_client_token(token[:at] + "0" + token[at:]) is None
    assert Keys("q" * 64).open_client_token(token) is None


def test_a_token_for_updates_is_no_client_token_nor_the_other_way(keys: Keys) -> None:
    client, updates = keys.client_token(ID, 1_800_000_000), keys.updates_token(ID, 1_800_000_000)
    assert keys.open_updates_token(updates) == (ID, 1_800_001_800)
    assert keys.open_client_token(updates) is keys.open_updates_token(client) is None
    # Nor under the other's name: each has a key of its own.
    assert keys.open_client_token(updates.replace("cvu", "cvt")) is None
    assert keys.open_updates_token(client.replace("cvt", "cvu")) is None


@pytest.mark.parametrize(
    "text", ["", "cvt", "cvt...", "cvt.a.b.c", "cvt.a.٣.c", "cvt.a.-1.c", "x.a.1.c", "cvt.a.1.c.d"]
)
def test_any_other_text_is_no_client_token(keys: Keys, text: str) -> None:
    assert keys.open_client_token(text) is None
