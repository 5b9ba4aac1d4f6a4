"""The service's own API, as a customer's server uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.errors import Refused

if TYPE_CHECKING:
    import requests

SECONDS = 30
# What these say of a start leaves open whether there is a call.
UNSETTLED = ("busy", "internal_error", "idempotency_in_progress")


class Problem(Refused):
    """The API's refusal, in its own words."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        detail = str(body.get("detail") or body.get("title") or "no details given")
        retry = f" Retry after {body['retry_after']} s." if body.get("retry_after") else ""
        look = " Check API_KEY in the profile, or CALLVERIFY_API_KEY." if status == 401 else ""
        super().__init__(f"{detail}{retry}{look} ({body['code']}, request {body.get('request_id', 'unknown')})")
        self.status = status
        self.code = str(body["code"])
        self.body = body


class NoAnswer(Refused):
    """Nothing came that this API says. `sent`: the request may have arrived, and have been acted on."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


def is_url(text: str) -> bool:
    """Whether it is one that can be asked."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Api:
    """`base_url`: ends in the stage. `key`: an API key. Raises Refused for what can't be one of these."""

    def __init__(self, base_url: str, key: str) -> None:
        if not is_url(base_url):
            raise Refused(
                "BASE_URL is not a URL: set it to the API's address with its stage, such as https://example.com/v1"
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise Refused(
                "the API key has characters that no key has: check API_KEY in the profile, or CALLVERIFY_API_KEY"
            )
        self.base_url = base_url.rstrip("/")
        self._key = key
        parts = urlsplit(self.base_url)
        # As it may be printed: without a password.
        self._shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        has: str = "status",
        idempotency_key: str | None = None,
        **query: str | None,
    ) -> Any:
        """The answer's JSON object, or None for one without a body. Raises Problem, and NoAnswer for any other.

        has: a member that the object must have; PUT and DELETE are answered by 204 alone.
        """
        import requests

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {self._key}"
            return request

        try:
            answer = requests.request(
                method,
                self.base_url + path,
                json=body,
                params=query,
                headers={"Idempotency-Key": idempotency_key} if idempotency_key else {},
                auth=authorize,  # as a header alone, a password for this host in ~/.netrc would take its place
                timeout=SECONDS,
                allow_redirects=False,
            )
        except UnicodeError:
            raise Refused("an argument is not valid text: check the terminal's encoding (LC_ALL)") from None
        except (requests.RequestException, ValueError) as error:
            raise NoAnswer(
                f"no answer from {self._shown} ({type(error).__name__}): check that the stack runs, and that BASE_URL "
                f"is its address.{_more(error)}",
                sent=_may_have_arrived(error),
            ) from None
        return self._read(answer, "" if method in ("PUT", "DELETE") else has)

    def _read(self, answer: requests.Response, has: str) -> Any:
        try:
            said = answer.json() if answer.content else None
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict) and answer.status_code >= 400 and isinstance(said.get("code"), str):
            raise Problem(answer.status_code, said)
        if answer.status_code == 204 and not has:
            return None
        if answer.status_code in (200, 201) and has and isinstance(said, dict) and has in said:
            return said
        words = f" ({said['message']})" if isinstance(said, dict) and isinstance(said.get("message"), str) else ""
        kind = " a redirect," if answer.is_redirect else ""
        raise NoAnswer(
            f"{self._shown} answered{kind} {answer.status_code}{words}, but not as this API does: check that "
            "BASE_URL is its address, with the stage at the end.",
            sent=not 300 <= answer.status_code < 500,
        )


def _more(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return " It speaks no TLS, or its certificate is not trusted (see REQUESTS_CA_BUNDLE)."
    if isinstance(error, requests.exceptions.ProxyError):
        return " Check HTTP_PROXY and HTTPS_PROXY."
    return ""


def _may_have_arrived(error: Exception) -> bool:
    """False only where no connection was made."""
    import requests
    from urllib3.exceptions import NewConnectionError

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    unsent = (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
    is_value = isinstance(error, ValueError)  # of a URL, before anything is sent
    return not (isinstance(error, unsent) or isinstance(reason, NewConnectionError) or is_value)
