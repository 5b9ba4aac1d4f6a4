"""The deployed service from outside: its API by HTTP, the simulated vendors, and the hands of an operator in AWS."""

import contextlib
import hashlib
import json
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from callverify.providers import registry
from callverify.providers.names import NAMES
from tests.support.histories import judge_entries

# What a call is asked for by, at any vendor.
STARTS = {
    *("reverse_auth_phone_get", "reverse_auth_phone_post", "get_code"),
    *("callcheck/add", "code/call"),
    *("wait_call", "send"),
    "initCall",
    "start-password-call",
    "Calls",
}
PROMPT = 28  # seconds: providers are given 8 together, and API Gateway ends a request at 29
READ, WRITE = "verifications:read", "verifications:write"
EVIDENCE = {"telefon_ip": "provider_read_back", "smsc": "provider_signature"}
WINDOWS = {each.name: each.routes[0].window.default for each in registry.manifests()}
UNTIL_SECONDS = 240
# Longer than the local stack's SecretCacheSeconds: no clock of a deployed function can be moved.
SECRETS_KEPT_SECONDS = 1.1
PATIENCE = 90.0  # AWS would have ended any request by then; a busy machine has not even begun some


def new_phone(block: int | None = None) -> str:
    """A Russian mobile number of this test alone. `block`: the middle three digits; limits count per block.

    `numbered_phone` is for suites that need many: theirs are others.
    """
    block = random.randint(100, 999) if block is None else block
    return f"+7900{block:03}{random.randint(0, 8999):04}"


def numbered_phone(number: int) -> str:
    """One of 900,000 numbers that `new_phone` never picks, so that neighbours are in different blocks."""
    return f"+7900{100 + number % 900}{9000 + number // 900}"


def new_address() -> str:
    """An IPv4 address of this test alone: limits count by it, and the documents' example is everybody's."""
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def new_api_key(mode: str = "live") -> str:
    return f"cv_{mode}_{secrets.token_urlsafe(32)}"


def until[T](look: Callable[[], T], found: Callable[[T], bool], seconds: float = UNTIL_SECONDS) -> T:
    """Look again and again until it is found; fail with what was seen last."""
    deadline = time.monotonic() + seconds
    while not found(seen := look()):
        assert time.monotonic() < deadline, f"did not come: {seen}"
        time.sleep(0.2)
    return seen


class Secrets:
    """What this run has used and no log may hold."""

    def __init__(self) -> None:
        self.phones: set[str] = set()
        self.codes: set[str] = set()
        self.texts: set[str] = set()

    def found_in(self, log: str) -> list[str]:
        """The secrets that the log holds, however a phone is written."""
        # Ids and times have digits enough to hold any code by chance.
        ids = r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\bvrf_\w+"
        digits_of_ours = rf'{ids}|"timestamp":"[^"]*"|"(VendorLatency|ms)":(\[[^]]*\]|[\d.]+)'
        words = set(re.findall(r"\w+", re.sub(digits_of_ours, " ", log)))
        run_together = re.sub(r"(?<=\d)[\s().\-]+(?=\d)", "", log)
        return [
            *(text for text in self.texts if text in log),
            *(phone for phone in self.phones if phone[-10:] in run_together),
            *(code for code in self.codes if code in words),
        ]


@dataclass(frozen=True)
class Answer:
    """A response; `body` is its JSON, or its text where it has none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def __getitem__(self, name: str) -> Any:
        assert name in self.body, (self.status, self.body)
        return self.body[name]

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def created_at(self) -> float:
        """Of a verification, in epoch seconds."""
        return datetime.fromisoformat(self.body["created_at"]).timestamp()

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"

    def expect(self, status: int, code: str | None = None) -> "Answer":
        """This answer, which must have this status and, for a refusal, be a problem with this code."""
        assert self.status == status, (self.status, self.body)
        if code is not None:
            assert self.headers["Content-Type"] == "application/problem+json"
            assert (self["status"], self["code"]) == (status, code)
            assert self["request_id"]
            assert self["title"]
            assert self["detail"]
        return self


class Api:
    """The HTTP API. `key`, unless a call is given another credential, is the live API key."""

    def __init__(self, env: Mapping[str, str], used: Secrets) -> None:
        self.base_url = env["BASE_URL"]
        self.key = env["API_KEY"]
        self._used = used
        self.accepted: dict[str, str | None] = {}  # the id of each verification that was started, and with which key
        used.texts |= {env["API_KEY"], env["TEST_API_KEY"]}

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: str | None = None,
        key: str | None = "",
        headers: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Answer:
        """body: goes out as JSON; data: as it is. key: what the Authorization header bears, None for no such header.

        patience: seconds to wait for the answer.
        """
        # Each request comes from another address, as the embedded AWS sees it: browsers are counted by theirs.
        sent = {"Content-Type": "application/json", "X-Forwarded-For": new_address()} | dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key or self.key}"
            self._used.texts.add(key or self.key)
        response = requests.request(
            method,
            self.base_url + path,
            data=json.dumps(body).encode() if body is not None else data,
            headers=sent,
            timeout=patience,
        )
        is_json = response.content and "json" in response.headers.get("Content-Type", "")
        return Answer(response.status_code, response.headers, response.json() if is_json else response.text)

    def start(
        self,
        phone: str,
        *,
        key: str | None = "",
        idempotency_key: str | None = None,
        patience: float = PATIENCE,
        **fields: Any,
    ) -> Answer:
        """POST /verifications with these fields."""
        self._used.phones.add(phone)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = self.send(
            "POST", "/verifications", {"phone": phone} | fields, key=key, headers=headers, patience=patience
        )
        if answer.status in (200, 201):
            self.accepted[answer.id] = key
            self._used.texts.add(answer["client_token"])
            if updates := answer.body.get("updates"):  # where push is on
                self._used.texts.add(updates["authorization"]["Authorization"])
        return answer

    def started(self, phone: str, **fields: Any) -> Answer:
        """A start that must go well."""
        return self.start(phone, **fields).expect(201)

    def read(self, id_: str, **more: Any) -> Answer:
        return self.send("GET", f"/verifications/{id_}", **more)

    def check(self, id_: str, code: Any, **more: Any) -> Answer:
        return self.send("POST", f"/verifications/{id_}/check", {"code": code}, **more)

    def repeat(self, id_: str, *, idempotency_key: str | None = None, key: str | None = "", **fields: Any) -> Answer:
        """fields: none; version 1 had those of a switch here."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self.send("POST", f"/verifications/{id_}/repeat", fields, headers=headers, key=key)

    def switch(
        self, id_: str, phone: Any, method: Any, *, idempotency_key: str | None = None, key: str | None = ""
    ) -> Answer:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        body = {"phone": phone, "method": method}
        return self.send("POST", f"/verifications/{id_}/switch", body, headers=headers, key=key)

    def cancel(self, id_: str, **more: Any) -> Answer:
        return self.send("POST", f"/verifications/{id_}/cancel", **more)

    def judge_histories(self, ids: Iterable[str]) -> None:
        """What these verifications tell of themselves agrees with what they are; printed, for a test that fails."""
        for id_ in ids:
            key = self.accepted[id_]
            while True:
                seen, told = self.read(id_, key=key), self.send("GET", f"/verifications/{id_}/history", key=key)
                if seen.status != 200 or told.status != 200:  # erased, or its key is gone or may not read
                    assert seen.status == told.status != 500, (seen, told)
                    break
                if self.read(id_, key=key).body == seen.body:  # nothing has happened in between
                    print(judge_entries(told["history"], seen.body))
                    break

    def wait_until(self, id_: str, status: str, **more: Any) -> Answer:
        """Read until the verification has this status."""
        return until(lambda: self.read(id_, **more).expect(200), lambda answer: bool(answer["status"] == status))


class Vendors:
    """The simulated vendors and telephones."""

    def __init__(self, env: Mapping[str, str], used: Secrets) -> None:
        self._url = env["SIMULATOR_URL"]
        self._used = used

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        # A key that is pressed waits for the service.
        response = requests.request(method, self._url + path, json=body, timeout=PATIENCE)
        assert response.status_code == 200, response.text
        return response.json()

    def dial(self, phone: str, started: Answer) -> str:
        """`phone` calls the number of the challenge: what becomes of the webhook, or "none" where nobody answers."""
        return str(self._send("POST", f"/phone/{phone}/dial", {"number": started["challenge"]["number"]})["webhook"])

    def codes(self, phone: str) -> list[str]:
        """The codes of the flash calls that reached this phone."""
        codes = [call["from"][-4:] for call in self._send("GET", f"/phone/{phone}")["incoming_calls"]]
        self._used.codes |= set(codes)
        return codes

    def calls(self, phone: str) -> list[dict[str, Any]]:
        """The calls that reached this phone, oldest first."""
        calls: list[dict[str, Any]] = self._send("GET", f"/phone/{phone}")["incoming_calls"]
        return calls

    def told_code(self, phone: str, digits: int, *, asks: bool = False) -> str:
        """The code that the last call showed or spoke; `asks`: it speaks once a key is pressed."""
        if asks:
            self._send("POST", f"/phone/{phone}/press", {"key": "1"})
        call = self.calls(phone)[-1]
        code = re.sub(r"\D", "", call["spoken"])[:digits] if call["spoken"] else call["from"][-digits:]
        self._used.codes.add(code)
        return str(code)

    def code(self, phone: str) -> str:
        return self.codes(phone)[-1]

    def wrong_code(self, phone: str) -> str:
        return "1111" if self.code(phone) != "1111" else "2222"

    def requests(self, phone: str) -> list[dict[str, Any]]:
        """What the vendors were asked about this phone, oldest first.

        A request that failed at once names none, unless the fault was for this phone.
        """
        return [request for request in self._asked() if request["phone"] == phone]

    def starts(self, phone: str) -> list[str]:
        """Which vendors were asked for a call of this phone, oldest first."""
        return [request["provider"] for request in self.start_requests(phone)]

    def start_requests(self, phone: str) -> list[dict[str, Any]]:
        """How vendors were asked for a call of this phone, oldest first."""
        return [request for request in self.requests(phone) if request["action"] in STARTS]

    def all_starts(self) -> list[dict[str, Any]]:
        """What the vendors were asked for by all tests; the service may ask about a call of an earlier one any time."""
        return [request for request in self._asked() if request["action"] in STARTS]

    def _asked(self) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = self._send("GET", "/requests")["requests"]
        return asked

    def paid_calls(self, phone: str) -> int:
        return sum(request["paid"] for request in self.requests(phone))

    def webhooks(self, mark: str) -> list[dict[str, Any]]:
        """The webhooks whose URL or form holds `mark` (a verification's id, a phone's digits), oldest first."""
        found = [webhook for webhook in self._send("GET", "/webhooks")["webhooks"] if mark in json.dumps(webhook)]
        for webhook in found:
            self._used.texts.add(urlsplit(webhook["url"]).path.rsplit("/", 1)[1])
            self._used.texts |= {(webhook["form"] or {}).get("md5") or webhook["url"]}
        return found

    def answered_webhooks(self, mark: str, count: int = 1) -> list[dict[str, Any]]:
        """As `webhooks`, once so many of them have been sent and answered."""

        def answered() -> list[dict[str, Any]]:
            return [webhook for webhook in self.webhooks(mark) if webhook["outcome"] == "answered"]

        return until(answered, lambda webhooks: len(webhooks) >= count)

    def fault(self, provider: str, mode: str, **more: Any) -> None:
        self._send("POST", "/faults", {"provider": provider, "mode": mode} | more)

    def clear_faults(self, phone: str | None = None) -> None:
        """Of calls about one number, or (None) all."""
        self._send("DELETE", f"/faults?phone={phone[1:]}" if phone else "/faults")

    @contextlib.contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """The vendors' clocks are that much ahead."""
        self._send("POST", "/clock", {"advance": seconds})
        try:
            yield
        finally:
            self._send("DELETE", "/clock")


class Webhooks:
    """The vendors' webhooks, sent by anybody who knows or guesses an address."""

    def __init__(self, env: Mapping[str, str], used: Secrets) -> None:
        self._smsc_url = env["SMSC_WEBHOOK_URL"]
        self._smsc_secret = env["SMSC_CALLBACK_SECRET"]
        self._used = used
        used.texts |= {self._smsc_secret, self._smsc_url.rsplit("/", 1)[1]}

    def send(self, url: str, form: Any = None, method: str | None = None) -> Answer:
        """GET, or POST where there is a form."""
        response = requests.request(method or ("POST" if form else "GET"), url, data=form, timeout=PATIENCE)
        is_json = "json" in response.headers["Content-Type"]
        return Answer(response.status_code, response.headers, response.json() if is_json else response.text)

    def smsc(self, form: Any, *, token: str | None = None) -> Answer:
        url = self._smsc_url if token is None else f"{self._smsc_url.rsplit('/', 1)[0]}/{token}"
        return self.send(url, form)

    def smsc_form(self, phone: str, ts: float, **changes: str) -> dict[str, str]:
        """A callback as SMSC signs it, with single fields changed afterwards."""
        digits = phone.removeprefix("+")
        md5 = hashlib.md5(f"{digits}:{int(ts)}:{self._smsc_secret}".encode()).hexdigest()
        self._used.texts.add(md5)
        return {"waitcall": "1", "phone": digits, "ts": str(int(ts)), "md5": md5} | changes

    def replay(self, recorded: Mapping[str, Any]) -> Answer:
        """Send a webhook of the simulators' record again."""
        return self.send(recorded["url"], recorded["form"])


class Operator:
    """The operator of the AWS account: the table, the secrets and the log."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.table = env["TABLE_NAME"]

    def client(self, name: str) -> Any:
        return boto3.Session(
            aws_access_key_id=self._env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._env["AWS_SECRET_ACCESS_KEY"],
            region_name=self._env["AWS_REGION"],
        ).client(name, endpoint_url=self._env["AWS_ENDPOINT_URL"])  # type: ignore[call-overload]

    @cached_property
    def _dynamodb(self) -> Any:
        return self.client("dynamodb")

    @cached_property
    def _secrets_manager(self) -> Any:
        return self.client("secretsmanager")

    # The table

    def item(self, pk: str) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(TableName=self.table, Key={"pk": {"S": pk}}, ConsistentRead=True)
        found = {name: TypeDeserializer().deserialize(value) for name, value in answer.get("Item", {}).items()}
        return found or None

    def record(self, id_: str) -> dict[str, Any]:
        found = self.item(f"verification#{id_}")
        assert found
        return found

    def lock(self, id_: str) -> dict[str, Any] | None:
        """The lock on the phone of this verification."""
        return self.item(f"phone#{self.record(id_)['phone_hash']}")

    def delete(self, pk: str) -> None:
        self._dynamodb.delete_item(TableName=self.table, Key={"pk": {"S": pk}})

    def age(self, id_: str, seconds: int) -> None:
        """Let time pass for one verification and its phone: move all their times but those of the other limits."""
        phone = self.record(id_)["phone_hash"]
        holds = [f"{provider}#{phone}" for provider in NAMES]
        for pk in (f"verification#{id_}", f"phone#{phone}", *holds):
            found = self.item(pk)
            if found:
                older = {name: _older(name, value, seconds) for name, value in found.items()}
                item = {name: TypeSerializer().serialize(value) for name, value in older.items()}
                self._dynamodb.put_item(TableName=self.table, Item=item)
        self._cool_down(phone, seconds)

    def _cool_down(self, phone_hash: str, seconds: int) -> None:
        """Move the end of a phone's cooldown, which stands in the item of phone_10m."""
        pk = f"limit#phone_10m#{phone_hash}"
        found = self.item(pk)
        if found and "until" in found:
            self._dynamodb.update_item(
                TableName=self.table,
                Key={"pk": {"S": pk}},
                UpdateExpression="SET #until = :until",
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":until": {"N": str(int(found["until"]) - seconds)}},
            )

    def ask(self, id_: str) -> None:
        """Bring a question about the current attempt that is due, past the queue, which others fill too."""
        question = {"verification_id": id_, "attempt": int(self.record(id_)["attempt_number"]), "ask_at": [1]}
        event = {"Records": [{"messageId": "1", "body": json.dumps(question), "eventSource": "aws:sqs"}]}
        functions = self.client("lambda")
        names = [each["FunctionName"] for each in functions.list_functions(MaxItems=50)["Functions"]]
        (name,) = (each for each in names if "-FollowUpFunction" in each)
        answer = functions.invoke(FunctionName=f"{name}:live", Payload=json.dumps(event))
        assert json.load(answer["Payload"]) == {"batchItemFailures": []}

    def end_cooldown(self, id_: str) -> None:
        """Let the time pass until the phone of this verification may start or switch again."""
        self._cool_down(self.record(id_)["phone_hash"], 60)

    def end_window(self, id_: str) -> None:
        """Let time pass until the verification has just expired."""
        self.age(id_, int(self.record(id_)["expires_at"] - int(time.time())) + 1)

    # Secrets

    def secret(self, name: str) -> Any:
        """name: API_KEYS_SECRET or PROVIDER_CREDENTIALS_SECRET."""
        return json.loads(self._secrets_manager.get_secret_value(SecretId=self._env[name])["SecretString"])

    def put_secret(self, name: str, value: Any) -> None:
        self._secrets_manager.put_secret_value(SecretId=self._env[name], SecretString=json.dumps(value))

    def window(self, provider: str) -> int:
        """Seconds: as this stack's operator has it, or else the provider's default."""
        return int(self.secret("PROVIDER_CREDENTIALS_SECRET")[provider].get("window_seconds", WINDOWS[provider]))

    @contextlib.contextmanager
    def credentials(self, credentials: Any) -> Iterator[None]:
        """The providers' credentials are these, and then the former ones again."""
        before = self.secret("PROVIDER_CREDENTIALS_SECRET")
        self.put_secret("PROVIDER_CREDENTIALS_SECRET", credentials)
        time.sleep(SECRETS_KEPT_SECONDS)
        try:
            yield
        finally:
            self.put_secret("PROVIDER_CREDENTIALS_SECRET", before)
            time.sleep(SECRETS_KEPT_SECONDS)

    # The log

    @property
    def log(self) -> str:
        return Path(self._env["LOG_FILE"]).read_text(encoding="utf-8")

    def log_lines(self, mark: str, after: int = 0) -> list[dict[str, Any]]:
        """The log's lines that hold `mark`, as soon as there is one; `after` so many characters."""
        return until(lambda: [json.loads(line) for line in self.log[after:].splitlines() if mark in line], bool)


_TIMES = {
    "at",
    "until",
    "expires_at",
    "created_at",
    "answered_at",
    "claimed_at",
    "step_claimed_at",
    "reported_at",
    "earlier_reports",
    "repeat_at",
    "ttl",
}


def _older(name: str, value: Any, seconds: int) -> Any:
    if isinstance(value, list):
        return [_older(name, member, seconds) for member in value]
    if isinstance(value, dict):
        return {key: _older(key, member, seconds) for key, member in value.items()}
    return value - seconds if name in _TIMES and isinstance(value, Decimal) else value
