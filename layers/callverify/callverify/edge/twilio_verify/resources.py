"""Our records as Twilio's resources. Their ids are ours in other letters; no reader is told the user's number."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from callverify.domain.errors import NotFound
from callverify.domain.steps import Attempt
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.view import timestamp
from callverify.domain.words import EndReason, Method, Mode, Status
from callverify.edge.twilio_verify.parameters import REVERSE
from callverify.providers.base import CODE_DIGITS
from callverify.service.context import id_of_number, number_of_id

SINCE = "2026-11-27T00:00:00Z"  # of what is no record
_SERVICE = re.compile("VA[0-9a-f]{32}")
_VERIFICATION = re.compile("VE[0-9a-f]{32}")
_STATUS = {
    Status.PENDING: "pending",
    Status.VERIFIED: "pending",  # until a check approves it
    Status.FAILED: "failed",
    Status.EXPIRED: "expired",
    Status.CANCELED: "canceled",
}


def require_service(sid: str) -> None:
    """Raises NotFound for what is no sid of a service."""
    if not _SERVICE.fullmatch(sid):
        raise NotFound("No such service.")


def is_verification(sid: str) -> bool:
    return _VERIFICATION.fullmatch(sid) is not None


def id_of_sid(sid: str, mode: Mode) -> str:
    """Raises NotFound for what is no sid of a verification."""
    if not is_verification(sid):
        raise NotFound("No such verification.")
    return id_of_number(int(sid.removeprefix("VE"), 16), mode)


def sid_of(verification: Verification) -> str:
    return f"VE{number_of_id(verification.id):032x}"


def derived(prefix: str, text: str) -> str:
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:32]


@value
class Reader:
    """Who is told. account: the SID that the request names, or one that stands for the key. root: the API's address."""

    account: str
    root: str
    now: float

    def verification(self, found: Verification, to: str | None = None, url: str | None = None) -> dict[str, Any]:
        """to: the number, where the request itself names it. url: of the page, for the one reply that may tell it."""
        status, reason = found.status_at(self.now)
        sid = sid_of(found)
        return {
            "sid": sid,
            "service_sid": found.owner,
            "account_sid": self.account,
            "to": to or found.phone_mask,
            "channel": channel(found),
            "status": "max_attempts_reached" if reason is EndReason.CHECKS_EXHAUSTED else _STATUS[status],
            "valid": False,
            "lookup": {},
            "amount": None,
            "payee": None,
            "send_code_attempts": [
                {
                    "time": timestamp(each.at),
                    "channel": _channel_of(found, each),
                    "attempt_sid": _attempt_sid(found, each),
                }
                for each in found.attempts
            ],
            "sna": {"url": url} if url else None,
            "date_created": timestamp(found.created_at),
            "date_updated": timestamp(found.ended_at or found.answered_at or found.created_at),
            "url": f"{self.root}/Services/{found.owner}/Verifications/{sid}",
        }

    def checked(self, found: Verification, valid: bool, to: str | None) -> dict[str, Any]:
        told = self.verification(found, to)
        names = ("sid", "service_sid", "account_sid", "to", "channel", "status", "amount", "payee")
        status = "approved" if valid else told["status"]
        return {
            **{name: told[name] for name in names},
            "status": status,
            "valid": valid,
            "sna_attempts_error_codes": [],
            "date_created": told["date_created"],
            "date_updated": told["date_updated"],
        }

    def attempts(self, found: Verification, *, approved: bool, path: str) -> dict[str, Any]:
        url = f"{self.root}/{path}"
        last = len(found.attempts)
        return {
            "attempts": [
                {
                    "sid": _attempt_sid(found, each),
                    "account_sid": self.account,
                    "service_sid": found.owner,
                    "verification_sid": sid_of(found),
                    "date_created": timestamp(each.at),
                    "date_updated": timestamp(each.at),
                    "conversion_status": "converted" if approved and each.number == last else "unconverted",
                    "channel": _channel_of(found, each),
                    "price": {},
                    "channel_data": {},
                    "url": f"{self.root}/Attempts/{_attempt_sid(found, each)}",
                }
                for each in found.attempts
            ],
            "meta": _meta("attempts", url),
        }

    def service(self, sid: str) -> dict[str, Any]:
        url = f"{self.root}/Services/{sid}"
        return {
            "sid": sid,
            "account_sid": self.account,
            "friendly_name": "callverify",
            "code_length": CODE_DIGITS,
            "lookup_enabled": False,
            "psd2_enabled": False,
            "skip_sms_to_landlines": False,
            "dtmf_input_required": False,
            "tts_name": None,
            "do_not_share_warning_enabled": False,
            "custom_code_enabled": False,
            "push": None,
            "totp": None,
            "whatsapp": None,
            "passkeys": None,
            "default_template_sid": None,
            "verify_event_subscription_enabled": False,
            "date_created": SINCE,
            "date_updated": SINCE,
            "url": url,
            "links": {
                "verifications": f"{url}/Verifications",
                "verification_checks": f"{url}/VerificationCheck",
            },
        }

    def services(self, sid: str) -> dict[str, Any]:
        return {"services": [self.service(sid)], "meta": _meta("services", f"{self.root}/Services")}


def channel(found: Verification) -> str:
    """What it was asked for by."""
    return _channel_of(found, found.attempt)


def _channel_of(found: Verification, attempt: Attempt) -> str:
    return REVERSE if attempt.method is Method.REVERSE_CALL else found.channel or "call"


def _attempt_sid(found: Verification, attempt: Attempt) -> str:
    return derived("VL", f"{found.id} {attempt.number}")


def _meta(key: str, url: str) -> dict[str, Any]:
    return {
        "page": 0,
        "page_size": 50,
        "first_page_url": url,
        "previous_page_url": None,
        "url": url,
        "next_page_url": None,
        "key": key,
    }
