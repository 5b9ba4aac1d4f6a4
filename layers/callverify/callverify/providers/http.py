"""Outgoing requests to vendors: no redirects, no proxy variables, no retries, always with a deadline.

And the reading of what comes back, which is hostile until proven otherwise: nothing here raises because of an answer.
"""

from __future__ import annotations

import json as json_module
import logging
import re
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from callverify.domain.text import quotable
from callverify.domain.value import value
from callverify.domain.words import CallOutcome, Clock, Deadline, Outcome, Reason

if TYPE_CHECKING:
    import requests

MAX_ANSWER_BYTES = 64 * 1024
# A container that slept may hold connections that a NAT gateway dropped in silence: a request sent into one looks like
# a vendor that never answers, which has to count as a paid call.
MAX_IDLE_SECONDS = 20.0

# certifi's authorities as OpenSSL looks them up, made by `make build`: it takes 46 ms to read them all from one file,
# for each connection.
AUTHORITIES = Path(__file__).parents[1] / "authorities"

# They write URLs, some of them from WARNING up, and URLs hold credentials.
for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry"):
    logging.getLogger(_name).disabled = True


@value
class Answer:
    """A vendor's answer, whatever its status: body bytes, at most 64 KB of them."""

    status: int
    body: bytes


class NotSent(Exception):
    """No connection: the vendor certainly saw nothing."""


class NoAnswer(Exception):
    """The request may have been carried out, but no whole answer came. `timed_out` tells silence from a broken line."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("timed out" if timed_out else "connection lost")
        self.timed_out = timed_out


def load_requests() -> None:
    """Import what the first call of a vendor would import."""
    import requests  # noqa: F401


class VendorHttp:
    """One connection pool per container. `requests` is imported late, since it is slow to load."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._used_at = clock()

    @cached_property
    def _session(self) -> requests.Session:
        import requests
        from requests.adapters import HTTPAdapter

        from callverify.sockets import Pool, TlsPool

        session = requests.Session()
        session.trust_env = False
        for scheme, pool in (("http", Pool), ("https", TlsPool)):
            adapter = HTTPAdapter()
            adapter.poolmanager.pool_classes_by_scheme = {scheme: pool}
            session.mount(f"{scheme}://", adapter)
        if AUTHORITIES.is_dir():
            session.verify = str(AUTHORITIES)
        session.headers["User-Agent"] = "callverify"
        return session

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request, once, and read the whole answer before `deadline`, however slowly it comes.

        body: what `json` or `form` would make, as it is; for signatures over it. Its type is among the headers.

        Raises NotSent or NoAnswer, without the URL in them or chained to them: URLs hold credentials.
        """
        import requests
        from urllib3.exceptions import HTTPError

        if deadline.remaining() <= 0:
            raise NotSent("no time left")
        if self._clock() - self._used_at > MAX_IDLE_SECONDS:
            self._session.close()
        failure: Exception
        parts = {"params": params, "json": json, "data": form if body is None else body, "headers": headers}
        try:
            return self._send(method, url, parts, deadline)
        except NoAnswer as error:
            failure = error
        except requests.ConnectTimeout:
            failure = NotSent("no connection in time")
        except requests.ConnectionError as error:
            failure = _connection_failure(error) or NoAnswer(timed_out=deadline.remaining() <= 0)
        except UnicodeError:
            failure = NotSent("no such host")
        except (requests.RequestException, HTTPError):
            failure = NoAnswer(timed_out=deadline.remaining() <= 0)
        finally:
            self._used_at = self._clock()
        raise failure from None

    def _send(self, method: str, url: str, parts: Mapping[str, Any], deadline: Deadline) -> Answer:
        from callverify.sockets import stopping_at

        options: Any = {**parts, "timeout": deadline.remaining(), "allow_redirects": False, "stream": True}
        with stopping_at(deadline), self._session.request(method, url, **options) as response:
            body = bytearray()
            for chunk in response.iter_content(4096):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise NoAnswer(timed_out=False)
            return Answer(response.status_code, bytes(body))


def _connection_failure(error: requests.ConnectionError) -> NotSent | None:
    """NotSent only where no request can have left: no connection, or a certificate that we refused."""
    from ssl import SSLCertVerificationError

    from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

    cause: Any = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, SSLError) and cause.args and isinstance(cause.args[0], SSLCertVerificationError):
        return NotSent("certificate refused")
    return NotSent("no connection") if isinstance(cause, NewConnectionError) else None


def outcome_of(failure: NotSent | NoAnswer) -> CallOutcome:
    """The outcome of a start whose answer never came."""
    if isinstance(failure, NotSent):
        return CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)
    return CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT if failure.timed_out else Reason.UNREADABLE_ANSWER)


def text_of(body: bytes) -> str:
    """A body as text: UTF-8, else windows-1251, the default of the older vendors."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1251", errors="replace")


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None for anything else, for NaN, and for a key given twice: which one would count?"""
    try:
        value = json_module.loads(text_of(body), object_pairs_hook=_unique_keys, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def whole_number(value: object) -> int | None:
    """A vendor's id, code or time, written as a JSON number or as its digits (at most 18); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = value if isinstance(value, str) else str(value) if 0 <= value < 10**18 else ""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def picked_code(value: object, digits: int) -> str | None:
    """The code that a vendor picked; None for one of another length. As a JSON number it has lost its first zeros."""
    if isinstance(value, str):
        return value if re.fullmatch(rf"[0-9]{{{digits}}}", value) else None
    number = whole_number(value)
    return f"{number:0{digits}}" if number is not None and number < 10**digits else None


def masked(words: object, *secrets: str) -> str:
    """A vendor's words for the operator's log, at most 200 characters.

    Replaced: each secret, also as URLs write it, every URL, and every run of four or more digits, however grouped.
    """
    text = str(words)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = re.sub(re.escape(form), "***", text, flags=re.IGNORECASE)
    text = re.sub(r"[a-zA-Z]{1,12}://\S*", "***", text)
    return quotable(text)[:200]
