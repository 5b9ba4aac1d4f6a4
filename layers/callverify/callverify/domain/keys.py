"""What is derived from the one generated pepper: a key for each use, the flash-call code, and the path tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from callverify.domain.verification import CLIENT_TOKEN_SECONDS


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
        expires_at = created_at + CLIENT_TOKEN_SECONDS
        return f"cvt.{verification_id}.{expires_at}.{self._client_signature(verification_id, expires_at)}"

    def open_client_token(self, token: str) -> tuple[str, int] | None:
        """(verification id, end in epoch seconds) of a token that we signed, ended or not; None for any other text."""
        parts = token.split(".")
        if len(parts) != 4 or parts[0] != "cvt" or not (parts[2].isascii() and parts[2].isdigit()):
            return None
        if parts[2].startswith("0"):  # the same time in other words, which nobody signed
            return None
        verification_id, expires_at = parts[1], int(parts[2][:12])
        expected = self._client_signature(verification_id, expires_at)
        if not hmac.compare_digest(parts[3].encode(), expected.encode()):
            return None
        return verification_id, expires_at

    def _client_signature(self, verification_id: str, expires_at: int) -> str:
        return _text(self._digest("client-token", verification_id, str(expires_at)))


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
