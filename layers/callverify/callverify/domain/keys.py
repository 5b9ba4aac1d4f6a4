"""What is derived from the one generated pepper: a key for each use, the flash-call code, and the path tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import partial

from callverify.domain.verification import CLIENT_TOKEN_SECONDS

# How a browser's tokens begin, and the use that the key of each is derived for.
TOKENS = {"cvt": "client-token", "cvu": "updates-token"}


class Keys:
    """Derivations under one pepper. All of them are deterministic, so that a retry derives the same."""

    def __init__(self, pepper: str) -> None:
        self._pepper = pepper.encode()

    def _digest(self, use: str, *parts: str) -> bytes:
        key = hmac.digest(self._pepper, use.encode(), hashlib.sha256)
        # Length prefixes keep ("a", "bc") and ("ab", "c") apart.
        encoded = [part.encode(errors="surrogatepass") for part in parts]
        message = b"".join(len(part).to_bytes(4) + part for part in encoded)
        return hmac.digest(key, message, hashlib.sha256)

    def fingerprint(self) -> str:
        """What tells this pepper from others, and nothing else of it."""
        return self._digest("fingerprint").hex()

    def hash_phone(self, e164: str) -> str:
        return self._digest("phone", e164).hex()

    def hash_block(self, e164: str) -> str:
        """The hash of a number's block of 10,000: all but its last four digits. For its limit alone: in no record."""
        return self._digest("block-limit", e164[:-4]).hex()

    def hash_address(self, network: str) -> str:
        return self._digest("address", network).hex()

    def hash_body(self, body: str) -> str:
        return self._digest("body", body).hex()

    def hash_idempotency_key(self, key_id: str, idempotency_key: str) -> str:
        return self._digest("idempotency", key_id, idempotency_key).hex()

    def seal(self, content: bytes) -> str:
        """Encrypt what readers of the table must not know; the same content looks new each time.

        Nothing would show that it was changed: an attacker who can write the table meets no limit.
        """
        nonce = secrets.token_bytes(16)
        return base64.b64encode(nonce + self._masked(nonce, content)).decode()

    def unseal(self, sealed: str) -> bytes:
        """What `seal` was given."""
        raw = base64.b64decode(sealed)
        return self._masked(raw[:16], raw[16:])

    def _masked(self, nonce: bytes, content: bytes) -> bytes:
        rounds = range(-(-len(content) // hashlib.sha256().digest_size))
        stream = b"".join(self._digest("seal", nonce.hex(), str(number)) for number in rounds)
        return bytes(a ^ b for a, b in zip(content, stream, strict=False))

    def code(self, verification_id: str, attempt: int, digits: int = 4) -> str:
        """The code of one attempt: an unbiased reduction to 1 and above ("0001".."9999" with four digits).

        The uneven end of the range is refused.
        """
        codes = 10**digits - 1
        unbiased_below = (2**32 // codes) * codes
        for round_number in range(1_000):
            digest = self._digest("code", verification_id, str(attempt), str(round_number))
            for start in range(0, len(digest), 4):
                word = int.from_bytes(digest[start : start + 4])
                if word < unbiased_below:
                    return f"{word % codes + 1:0{digits}d}"
        raise AssertionError("unreachable: each round fails with a chance below 1e-40")

    def hash_code(self, verification_id: str, attempt: int, code: str) -> str:
        """The hash of a code that a vendor picked, good for one attempt alone."""
        return self._digest("vendor-code", verification_id, str(attempt), code).hex()

    def hash_tail(self, provider: str, method: str, code: str) -> bytes:
        """4 bytes that tell whether a vendor has picked the same code before; of no phone and no time."""
        return self._digest("code-pool", provider, method, code)[:4]

    def webhook_token(self, verification_id: str) -> str:
        return _text(self._digest("webhook-token", verification_id))

    def client_token(self, verification_id: str, created_at: int) -> str:
        """The client token of a verification. It carries its own end: 30 minutes after `created_at`."""
        return self._token("cvt", verification_id, created_at + CLIENT_TOKEN_SECONDS)

    def open_client_token(self, token: str) -> tuple[str, int] | None:
        """(verification id, end in epoch seconds) of a token that we signed, ended or not; None for any other text."""
        return _opened(token, partial(self._token, "cvt"))

    def updates_token(self, verification_id: str, created_at: int) -> str:
        """As `client_token`, for listening to the verification's updates and nothing else."""
        return self._token("cvu", verification_id, created_at + CLIENT_TOKEN_SECONDS)

    def open_updates_token(self, token: str) -> tuple[str, int] | None:
        return _opened(token, partial(self._token, "cvu"))

    def _token(self, kind: str, verification_id: str, expires_at: int) -> str:
        signature = _text(self._digest(TOKENS[kind], verification_id, str(expires_at)))
        return f"{kind}.{verification_id}.{expires_at}.{signature}"


def _opened(token: str, made: Callable[[str, int], str]) -> tuple[str, int] | None:
    """What stands in a token, if `made` makes the same one of it."""
    parts = token.split(".")
    if len(parts) != 4 or not (parts[2].isascii() and parts[2].isdigit()):
        return None
    verification_id, expires_at = parts[1], int(parts[2][:12])
    same = hmac.compare_digest(token.encode(errors="replace"), made(verification_id, expires_at).encode())
    return (verification_id, expires_at) if same else None


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
