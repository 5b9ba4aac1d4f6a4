"""The vendors' reports of calls: sending them, and what became of each."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests

from simulators.faults import WEBHOOK_MODES, Faults
from simulators.web import utc

CONNECT_AND_READ_SECONDS = (3.0, 15.0)
REPEAT_EVERY_SECONDS, MOST_REPEATS = 5.0, 60

Job = Callable[[], None]


@dataclass(frozen=True)
class Webhook:
    """A report ready to be sent: a GET to `url`, or a POST when there is a `form` or a `json`.

    form: a field with a list is given as often as the list says. multipart: how the form is written.
    repeated_until: the body of an answer, before which it is sent again and again; empty: it is sent once.
    """

    provider: str
    url: str
    window: int
    form: Mapping[str, str | list[str]] | None = None
    json: dict[str, object] | None = None
    multipart: bool = False
    repeated_until: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return "GET" if self.form is None and self.json is None else "POST"

    @property
    def parts(self) -> list[tuple[str, tuple[None, str]]]:
        """The fields of the form, as `requests` wants those of a multipart one."""
        given = [(name, text if isinstance(text, list) else [text]) for name, text in (self.form or {}).items()]
        return [(name, (None, text)) for name, texts in given for text in texts]


def send_by_http(webhook: Webhook) -> tuple[int, str]:
    """Send and return (HTTP status, reply body); raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy, no .netrc: the receiver is on this machine
        reply = session.request(
            webhook.method,
            webhook.url,
            data=None if webhook.multipart else webhook.form,
            files=webhook.parts if webhook.multipart else None,
            json=webhook.json,
            headers=webhook.headers,
            timeout=CONNECT_AND_READ_SECONDS,
            allow_redirects=False,
        )
        return reply.status_code, reply.text[:1000]


def run_in_background(delay: float, job: Job) -> None:
    """Run the job after `delay` seconds, in a thread that doesn't outlive the process."""
    timer = threading.Timer(delay, job)
    timer.daemon = True
    timer.start()


class Webhooks:
    def __init__(
        self,
        clock: Callable[[], float],
        faults: Faults,
        send: Callable[[Webhook], tuple[int, str]] = send_by_http,
        run_later: Callable[[float, Job], None] = run_in_background,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._send = send
        self._run_later = run_later
        self._lock = threading.Lock()
        self._log: list[dict[str, object]] = []

    def describe(self) -> list[dict[str, object]]:
        """Every report, oldest first: "outcome" is waiting, answered, failed or lost."""
        with self._lock:
            return [dict(entry) for entry in self._log]

    def report(self, webhook: Webhook, caller: str) -> str:
        """Report a call in the background, as the faults will have it; returns sent, twice, late or lost."""
        fault = self._faults.take(webhook.provider, "dial", WEBHOOK_MODES, caller)
        match fault.mode if fault else None:
            case "webhook_lost":
                self._note(webhook, "lost")
                return "lost"
            case "webhook_twice":
                self._send_later(0, webhook)
                self._send_later(0, webhook)
                return "twice"
            case "webhook_late":
                delay = fault.more.get("delay", webhook.window + 1) if fault else 0
                self._send_later(delay, webhook)
                return "late"
            case _:
                self._send_later(0, webhook)
                return "sent"

    def report_now(self, webhook: Webhook) -> tuple[int, str]:
        """Report a call and wait for the answer: its HTTP status and body, or 0 and nothing."""
        entry = self._note(webhook, "waiting")
        self._deliver(webhook, entry)
        status = entry["status"]
        return (status, str(entry["body"])) if isinstance(status, int) else (0, "")

    def _send_later(self, delay: float, webhook: Webhook, repeats: int = MOST_REPEATS) -> None:
        entry = self._note(webhook, "waiting")
        self._run_later(delay, lambda: self._deliver(webhook, entry, repeats))

    def _note(self, webhook: Webhook, outcome: str) -> dict[str, object]:
        known: dict[str, object] = {
            "provider": webhook.provider,
            "method": webhook.method,
            "url": webhook.url,
            "form": webhook.form,
        }
        entry = known | {"outcome": outcome, "status": None, "body": None, "error": None, "at": utc(self._clock())}
        with self._lock:
            self._log.append(entry)
        return entry

    def _deliver(self, webhook: Webhook, entry: dict[str, object], repeats: int = MOST_REPEATS) -> None:
        result: dict[str, object] = {"at": utc(self._clock())}
        try:
            status, body = self._send(webhook)
            result |= {"outcome": "answered", "status": status, "body": body}
        except requests.RequestException as error:
            # Only the kind of error: its text holds the URL with the token in it.
            result |= {"outcome": "failed", "error": type(error).__name__}
        with self._lock:
            entry.update(result)
        heard = str(result.get("body", "")).strip() == webhook.repeated_until
        if webhook.repeated_until and not heard and repeats:
            self._send_later(REPEAT_EVERY_SECONDS, webhook, repeats - 1)
