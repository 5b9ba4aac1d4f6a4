"""Between the table's stream, the queues and the service. One record or message never takes the others down with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from callverify.domain.erasure import Erased
from callverify.domain.questions import after_report
from callverify.domain.verification import Verification
from callverify.domain.words import Clock, Note, Status
from callverify.events.publish import Publisher, Unpublished
from callverify.events.telemetry import Telemetry
from callverify.service.follow_up import FollowUp
from callverify.service.service import Service
from callverify.store import Index
from callverify.store.items import erasure_of_image, verification_of_image

LONGEST_DELAY_SECONDS = 900  # SQS's own maximum, and that of every window

Send = Callable[[str, int], None]  # a message, to be received after so many seconds
PutAside = Callable[[str], None]
Record = Mapping[str, Any]
Change = tuple[Verification | None, Verification | Erased | None]  # a record before and after


def each_message(
    event: Mapping[str, Any],
    act: Callable[[str], None],
    telemetry: Telemetry,
    failed: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Act on each SQS message, and tell SQS which ones failed: those alone come again. `failed` is given the record."""
    failures = []
    for record in event["Records"]:
        with telemetry.line("message handled"):
            try:
                act(record["body"])
            except Exception as error:
                telemetry.message_failed(record["messageId"], error)
                failed(record)
                failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def change(record: Record) -> Change:
    """The record before and after a change in the table's stream; None where there is no record."""
    images = record["dynamodb"]
    new = images.get("NewImage")
    return verification_of_image(images.get("OldImage")), erasure_of_image(new) or verification_of_image(new)


class Publications:
    """Publishes what the table's stream brings, enters it in the index, and counts it.

    What could not be done of it is put aside, to be done again, so that no verification waits for another one.
    usage: counts what verifications that have just ended used. read: a verification by its id, if it is still kept.
    tell: given all changes, for the browsers that listen; None where push is off.
    """

    def __init__(
        self,
        publisher: Callable[[], Publisher],
        index: Index,
        usage: Callable[[Sequence[Verification]], None],
        read: Callable[[str], Verification | None],
        telemetry: Telemetry,
        put_aside: PutAside,
        tell: Callable[[Iterable[Change]], None] | None = None,
    ) -> None:
        self._publisher = publisher
        self._index = index
        self._books = {"index": index.add, "usage": usage}
        self._read_record = read
        self._telemetry = telemetry
        self._put_aside = put_aside
        self._tell = tell

    def publish(self, event: Mapping[str, Any]) -> None:
        readable, failed = self._read(event["Records"])
        records = [(before, after) for _, (before, after) in readable if isinstance(after, Verification)]
        for record in failed + self._refused(readable):
            self._put_aside(without_hashes(record))
        self._enter("index", [after for before, after in records if before is None])
        self._enter("usage", [after for before, after in records if _has_ended(before, after)])
        # All that came before is published by now, for changes of one record come in order.
        for _, (before, after) in readable:
            if isinstance(after, Erased):
                self._publisher().erase(after)
                self._index.remove([before] if before else [])
        if self._tell:
            self._tell(change for _, change in readable)

    def publish_again(self, message: str) -> None:
        """Do what could not be done before. Raises Unpublished, or what the index or the count raises."""
        record = json.loads(message)
        if book := record.get("book"):
            found = self._read_record(record["verification_id"])
            self._books[book]([found] if found else [])
            # Erased in between: its entries were removed before they were there.
            if book == "index" and found and not self._read_record(found.id):
                self._index.remove([found])
            return
        readable, failed = self._read([record])
        if failed or self._refused(readable, numbered=record.get("numbered", False)):
            raise Unpublished

    def _enter(self, book: str, verifications: Sequence[Verification]) -> None:
        """In the index, or in what is used: all of them, or each by itself later."""
        try:
            self._books[book](verifications)
        except Exception as error:
            for each in verifications:
                self._telemetry.unpublished(each.id, error)
                # By its id alone: the record has the phone's hash, and may be erased before its turn comes.
                self._put_aside(json.dumps({"book": book, "verification_id": each.id}))

    def _read(self, records: Sequence[Record]) -> tuple[list[tuple[Record, Change]], list[Record]]:
        """The records with their changes, and those that can't be read."""
        failed, readable = [], []
        for record in records:
            try:
                readable.append((record, change(record)))
            except Exception as error:
                self._telemetry.unpublished(_subject(record), error)
                failed.append(record)
        return readable, failed

    def _refused(self, readable: Sequence[tuple[Record, Change]], *, numbered: bool = False) -> list[Record]:
        """Those that could not be published; `numbered` says in each whether it has its place in the list."""
        refused = self._publisher().publish((each for _, each in readable), numbered=numbered)
        return [{**readable[place][0], "numbered": has_number} for place, has_number in refused.items()]


class FollowUps:
    """Delayed messages for each attempt, and what is done when they come. questions: when its provider is asked."""

    def __init__(
        self,
        *,
        service: Callable[[], Service],
        questions: Callable[[Verification], Sequence[int]],
        send: Send,
        clock: Clock,
        telemetry: Telemetry,
        put_aside: PutAside,
    ) -> None:
        self._service = service
        self._questions = questions
        self._send = send
        self._clock = clock
        self._detail: Note = telemetry.detail
        self._telemetry = telemetry
        self._put_aside = put_aside

    def schedule(self, event: Mapping[str, Any]) -> None:
        """Have new attempts followed up, and reports that came before their provider's answer."""
        for record in event["Records"]:
            try:
                before, after = change(record)
            except Exception as error:
                self._telemetry.unpublished(_subject(record), error)
                self._put_aside(without_hashes(record))
            else:
                self._schedule(before, after)

    def _schedule(self, before: Verification | None, after: Verification | Erased | None) -> None:
        if not isinstance(after, Verification) or after.status is not Status.PENDING:
            return
        subject, now = FollowUp(after.id, after.attempt.number), int(self._clock())
        if before is None or before.attempt.number != after.attempt.number:
            self._later(subject, after.expires_at - now)
            if times := tuple(self._questions(after)):
                self._later(replace(subject, ask_at=times), times[0] - now)
        elif after.call_id and after.call_id == after.webhook_call_id and not before.call_id and self._questions(after):
            self._later(replace(subject, ask_at=(now, *after_report(now))), 0)

    def follow_up(self, message: str) -> None:
        """Act on a message, and send what has to be acted on next."""
        if again := self._service().follow_up(FollowUp.read(message)):
            self._later(*again)

    def _later(self, message: FollowUp, delay: int) -> None:
        self._send(message.text(), min(max(0, delay), LONGEST_DELAY_SECONDS))
        self._detail("follow-up scheduled", verification_id=message.verification_id, attempt=message.attempt)


def without_hashes(record: Mapping[str, Any]) -> str:
    """A record of the stream as a message, without the hashes, which no event tells."""
    images = {
        name: {each: value for each, value in image.items() if not each.endswith("_hash")}
        if name in ("OldImage", "NewImage")
        else image
        for name, image in record.get("dynamodb", {}).items()
    }
    return json.dumps({**record, "dynamodb": images})


def _has_ended(before: Verification | None, after: Verification | None) -> bool:
    pending = before is None or before.status is Status.PENDING
    return after is not None and pending and after.status is not Status.PENDING


def _subject(record: Mapping[str, Any]) -> str:
    """The verification that a record of the stream is about."""
    return str(record.get("dynamodb", {}).get("Keys", {}).get("pk", {}).get("S", "")).removeprefix("verification#")
