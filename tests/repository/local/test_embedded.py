"""What local/embedded.py uses of ministack is what it was written for."""

import json
import re
import subprocess

import pytest

from local.aws import PYTHON
from tests.support.template import RESOURCES, ROOT

VERSION = "1.5.33"
# Of each function's source. Where one differs after an update: read what has changed, and local/embedded.py again.
SOURCES = {
    "appsync_events._authorize_event_op": "064f48d3b1050282",
    "appsync_events._create_api": "6c8ad479e56a2b66",
    "appsync_events._create_channel_namespace": "27c1dc8788a06c78",
    "appsync_events._delete_api": "af9aae0be9a424a6",
    "appsync_events._delete_channel_namespace": "2f23d5695c56dd06",
    "appsync_events._modes_accept": "5e75e34ac60d398f",
    "appsync_events._operation_auth_modes": "82f6edeca70a98f0",
    "appsync_events._update_api": "cc62c73b5e6a88a9",
    "appsync_events._update_channel_namespace": "c58c2f3a52a52011",
    "concurrency.spawn_background": "18878a26acb0941a",
    "dynamodb.stream_records_since": "aed31a353fda9770",
    "lambda_runtime.Worker": "a0bd1819a7040c1e",
    "lambda_svc._apply_filter_criteria": "d8d7d5c8f77ea1ac",
    "lambda_svc._iter_all_esms": "7db06c0627a59696",
    "lambda_svc._poll_dynamodb_streams": "2b2460e933a9f3c3",
    "provisioners._delete_resource": "9e9ba54fb4281d65",
    "provisioners._provision_resource": "3b8f01fb187141b6",
    "provisioners._update_resource": "21b9b1207f59a864",
}
TYPES = ("AWS::AppSync::Api", "AWS::AppSync::ChannelNamespace")
ASK = """
import hashlib, inspect, json, sys
from importlib.metadata import version
from ministack.core import concurrency, lambda_runtime
from ministack.services import appsync_events, dynamodb, lambda_svc
from ministack.services.cloudformation import provisioners
def source(name):
    module, _, function = name.partition(".")
    text = inspect.getsource(getattr(globals()[module], function))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
print(json.dumps({"version": version("ministack"), "sources": {name: source(name) for name in sys.argv[1:]},
                  "types": [name for name in provisioners._RESOURCE_HANDLERS if name.startswith("AWS::AppSync::")]}))
"""


STREAMS = """
import json, threading
from local import embedded
read, both = [], threading.Barrier(2)
def poll():
    (mapping,) = embedded.mappings()
    both.wait(60)  # neither comes until both are there
    read.append(mapping[2]["UUID"])
    return False
embedded._poll_streams = poll
embedded._all_mappings = lambda: [("", "", {"UUID": name, "EventSourceArn": source}) for name, source in (
    ("slow", "arn:aws:dynamodb:::table/a/stream/b"), ("other", "arn:aws:dynamodb:::table/a/stream/b"),
    ("queue", "arn:aws:sqs:::queue"))]
embedded.poll_streams()
while len(read) < 2 or embedded._read:
    pass
pattern = json.dumps({"kind": ["verification"]})
embedded._thread.mapping = ("", "", {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}})
records = [{"kind": "verification" if number % 10 == 9 else "counter", "number": number} for number in range(100)]
embedded._records_since = lambda table, position, limit: records[position:position + limit]
batches = [len(embedded.records_since("table", start, 3)) for start in (0, 30, 85)]
print(json.dumps({"read": sorted(read), "batches": batches}))
"""


def test_a_stream_is_read_as_aws_reads_it() -> None:
    asked = subprocess.run([PYTHON, "-c", STREAMS], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    found = json.loads(asked.stdout)
    assert found["read"] == ["other", "slow"]
    # Three that the filter lets through, and what is between them; two at the end.
    assert found["batches"] == [30, 30, 15]


OUTPUT = """
import io, json, sys, zipfile
from local import embedded
if sys.argv[1] == "busy":  # no thread reads what the function writes
    embedded.lambda_runtime.Worker._read_stderr = lambda worker: None
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as file:
    file.writestr("app.py", "def handler(event, context):\\n    print(event)")
name = "arn:aws:lambda:us-east-1:000000000000:function:prints"
function = {"Runtime": "python3.13", "Handler": "app.handler", "FunctionName": "prints", "FunctionArn": name}
worker = embedded.lambda_runtime.Worker("prints", function, code.getvalue())
logs = [worker.invoke(text, "id")["log"] for text in json.loads(sys.argv[2])]
worker.kill()
print(json.dumps(logs))
"""


@pytest.mark.parametrize(("machine", "prints"), [("busy", ["one", "two\nthree", ""]), ("idle", ["long" * 30_000, "ё"])])
def test_a_call_is_logged_with_all_that_it_writes(machine: str, prints: list[str]) -> None:
    command = [str(PYTHON), "-c", OUTPUT, machine, json.dumps(prints)]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    assert json.loads(asked.stdout) == prints


def test_it_is_the_ministack_that_it_was_written_for() -> None:
    asked = subprocess.run([PYTHON, "-c", ASK, *SOURCES], capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    assert found["version"] == VERSION
    assert found["sources"] == SOURCES
    # What it adds is still missing.
    assert not {*TYPES} & {*found["types"]}


def test_all_that_it_uses_is_compared() -> None:
    text = (ROOT / "local/embedded.py").read_text()
    used = {*re.findall(r"\b(?:appsync_events|concurrency|dynamodb|lambda_runtime|lambda_svc)\.\w+", text)}
    handlers = {"provisioners._provision_resource", "provisioners._update_resource", "provisioners._delete_resource"}
    assert used | handlers == SOURCES.keys()
    assert VERSION in text


def test_it_knows_what_the_template_has_of_appsync() -> None:
    assert {each["Type"] for each in RESOURCES.values() if each["Type"].startswith("AWS::AppSync::")} == {*TYPES}
