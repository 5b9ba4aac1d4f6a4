"""ministack, with what it lacks: AppSync's Event APIs in CloudFormation, and streams that are read as AWS reads them.

It runs in .venv-aws for `-m ministack`.

Written for ministack 1.5.33, whose private functions are used and replaced: a test compares them (decision 111).
"""

import json
import threading
from collections.abc import Iterable
from typing import Any

from ministack.app import main  # type: ignore[import-not-found]
from ministack.core import concurrency  # type: ignore[import-not-found]
from ministack.services import appsync_events, dynamodb, lambda_svc  # type: ignore[import-not-found]
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS  # type: ignore[import-not-found]

Attributes = tuple[str, dict[str, str]]
Mapping = tuple[str, str, dict[str, Any]]  # account, region, event source mapping
_ask_function = appsync_events._authorize_event_op
_all_mappings = lambda_svc._iter_all_esms
_poll_streams = lambda_svc._poll_dynamodb_streams
_records_since = dynamodb.stream_records_since
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
