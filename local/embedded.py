"""ministack, with what it lacks: AppSync's Event APIs in CloudFormation, and streams and logs as AWS reads them.

It runs in .venv-aws for `-m ministack`.

Written for ministack 1.5.33, whose private functions are used and replaced: a test compares them (decision 111).
"""

import io
import json
import os
import select
import threading
from collections.abc import Iterable
from typing import Any

from ministack.app import main  # type: ignore[import-not-found]
from ministack.core import concurrency, lambda_runtime  # type: ignore[import-not-found]
from ministack.services import appsync_events, dynamodb, lambda_svc  # type: ignore[import-not-found]
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS  # type: ignore[import-not-found]

Attributes = tuple[str, dict[str, str]]
Mapping = tuple[str, str, dict[str, Any]]  # account, region, event source mapping
_ask_function = appsync_events._authorize_event_op
_all_mappings = lambda_svc._iter_all_esms
_poll_streams = lambda_svc._poll_dynamodb_streams
_records_since = dynamodb.stream_records_since
_output_lock = threading.Lock()
_thread = threading.local()  # .mapping: the one whose stream it reads
_read: set[str] = set()  # the mappings whose stream a thread reads


def request(properties: dict[str, Any]) -> bytes:
    """The properties of a resource as AppSync's own API takes them."""
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    return json.dumps({**_camel({**properties, "Tags": None}), "tags": tags}).encode()


def _camel(value: Any) -> Any:
    match value:
        case dict():
            return {name[:1].lower() + name[1:]: _camel(item) for name, item in value.items() if item is not None}
        case list():
            return [_camel(item) for item in value]
    return value


def _answer(response: tuple[int, dict[str, str], bytes], key: str) -> dict[str, Any]:
    status, _, body = response
    if status >= 300:
        raise ValueError(f"{key}: {body!r}")
    answer: dict[str, Any] = json.loads(body)[key]
    return answer


def _api(response: tuple[int, dict[str, str], bytes]) -> Attributes:
    api = _answer(response, "api")
    dns = {"Dns.Http": api["dns"]["HTTP"], "Dns.Realtime": api["dns"]["REALTIME"]}
    return api["apiArn"], {"ApiId": api["apiId"], "ApiArn": api["apiArn"], **dns}


def _namespace(response: tuple[int, dict[str, str], bytes]) -> Attributes:
    arn = _answer(response, "channelNamespace")["channelNamespaceArn"]
    return arn, {"ChannelNamespaceArn": arn}


def create_api(_logical_id: str, properties: dict[str, Any], _stack: str) -> Attributes:
    return _api(appsync_events._create_api(request(properties)))


def update_api(arn: str, _old: object, properties: dict[str, Any], _stack: str) -> Attributes:
    return _api(appsync_events._update_api(arn.rsplit("/", 1)[1], request(properties)))


def delete_api(arn: str, _properties: object) -> None:
    appsync_events._delete_api(arn.rsplit("/", 1)[1])


def create_namespace(_logical_id: str, properties: dict[str, Any], _stack: str) -> Attributes:
    return _namespace(appsync_events._create_channel_namespace(properties["ApiId"], request(properties)))


def update_namespace(_arn: str, _old: object, properties: dict[str, Any], _stack: str) -> Attributes:
    changed = appsync_events._update_channel_namespace(properties["ApiId"], properties["Name"], request(properties))
    return _namespace(changed)


def delete_namespace(_arn: str, properties: dict[str, Any]) -> None:
    appsync_events._delete_channel_namespace(properties["ApiId"], properties["Name"])


async def authorize(
    api_id: str, channel: str | None, operation: str, auth: dict[str, Any] | None, headers: dict[str, str] | None = None
) -> tuple[bool, str | None]:
    """As AWS does: ask the function only where the modes of API or namespace name it. ministack always asks it."""
    modes = appsync_events._operation_auth_modes(api_id, channel, operation)
    allowed: tuple[bool, str | None]
    if "AWS_LAMBDA" in modes:
        allowed = await _ask_function(api_id, channel, operation, auth, headers)
    else:
        allowed = appsync_events._modes_accept(api_id, modes, auth)
    return allowed


def poll_streams() -> bool:
    """Read each mapping's stream in a thread of its own. ministack invokes one function after the other in one thread,
    so that the queues wait for them all."""
    for mapping in _all_mappings():
        id_, source = mapping[2]["UUID"], mapping[2].get("EventSourceArn", "")
        if ":dynamodb:" in source and id_ not in _read:
            _read.add(id_)
            concurrency.spawn_background(_poll_stream, mapping, thread_name="stream")
    return False


def _poll_stream(mapping: Mapping) -> None:
    _thread.mapping = mapping
    try:
        while _poll_streams():
            pass
    finally:
        _read.discard(mapping[2]["UUID"])


def mappings() -> Iterable[Mapping]:
    """All of them, or the one that this thread reads for."""
    mine: Mapping | None = getattr(_thread, "mapping", None)
    return [mine] if mine else _all_mappings()


def records_since(table: str, position: int, limit: int, **scope: Any) -> list[dict[str, Any]]:
    """As many records as have `limit` among them that the mapping's filter lets through: AWS counts those alone."""
    mapping: Mapping | None = getattr(_thread, "mapping", None)
    if not mapping:
        return list(_records_since(table, position, limit, **scope))
    records: list[dict[str, Any]] = []
    through = 0
    while through < limit and (more := _records_since(table, position + len(records), limit - through, **scope)):
        records += more
        through += len(lambda_svc._apply_filter_criteria(more, mapping[2]))
    return records


class Output:
    """What a process that runs a function writes. ministack waits at most 50 ms for it: what a busy machine reads later
    is logged with the next call of that process, which may never come."""

    def __init__(self, pipe: io.TextIOWrapper) -> None:
        self._pipe = pipe.buffer.raw  # type: ignore[attr-defined]
        self._lock = threading.Lock()
        self._written = b""
        os.set_blocking(pipe.fileno(), False)

    def follow(self) -> None:
        """Read until the process ends: a full pipe would stop it."""
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        while waiting.poll() and self._read():
            pass

    def take(self) -> str:
        """All that was written and not yet taken."""
        self._read()
        with self._lock:
            taken, self._written = self._written, b""
        return taken.decode(errors="replace").removesuffix("\n")

    def _read(self) -> bool:
        """Read what the pipe holds; False at its end."""
        with self._lock:
            while chunk := self._pipe.read(65536):
                self._written += chunk
        return chunk is None


def output(worker: Any) -> Output:
    """Of the worker's process, or of its last one."""
    with _output_lock:
        if worker._proc and getattr(worker, "process", None) is not worker._proc:
            worker.process, worker.output = worker._proc, Output(worker._proc.stderr)
        written: Output = worker.output
        return written


def follow_output(worker: Any) -> None:
    output(worker).follow()


def take_output(worker: Any) -> str:
    return output(worker).take()


lambda_runtime.Worker._read_stderr = follow_output
lambda_runtime.Worker._drain_stderr = take_output
lambda_runtime.Worker._drain_stderr_bounded = take_output
dynamodb.stream_records_since = records_since
lambda_svc._iter_all_esms = mappings
lambda_svc._poll_dynamodb_streams = poll_streams
appsync_events._authorize_event_op = authorize
_RESOURCE_HANDLERS["AWS::AppSync::Api"] = {"create": create_api, "update": update_api, "delete": delete_api}
_RESOURCE_HANDLERS["AWS::AppSync::ChannelNamespace"] = {
    "create": create_namespace,
    "update": update_namespace,
    "delete": delete_namespace,
}

if __name__ == "__main__":
    main()
