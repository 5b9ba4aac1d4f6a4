"""What local/embedded.py uses of ministack is what it was written for."""

import json
import re
import subprocess

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
    "provisioners._delete_resource": "9e9ba54fb4281d65",
    "provisioners._provision_resource": "3b8f01fb187141b6",
    "provisioners._update_resource": "21b9b1207f59a864",
}
TYPES = ("AWS::AppSync::Api", "AWS::AppSync::ChannelNamespace")
ASK = """
import hashlib, inspect, json, sys
from importlib.metadata import version
from ministack.services import appsync_events
from ministack.services.cloudformation import provisioners
def source(name):
    module, _, function = name.partition(".")
    modules = {"appsync_events": appsync_events, "provisioners": provisioners}
    text = inspect.getsource(getattr(modules[module], function))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
print(json.dumps({"version": version("ministack"), "sources": {name: source(name) for name in sys.argv[1:]},
                  "types": [name for name in provisioners._RESOURCE_HANDLERS if name.startswith("AWS::AppSync::")]}))
"""


def test_it_is_the_ministack_that_it_was_written_for() -> None:
    asked = subprocess.run([PYTHON, "-c", ASK, *SOURCES], capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    assert found["version"] == VERSION
    assert found["sources"] == SOURCES
    # What it adds is still missing.
    assert not {*TYPES} & {*found["types"]}


def test_all_that_it_uses_is_compared() -> None:
    text = (ROOT / "local/embedded.py").read_text()
    used = {f"appsync_events.{name}" for name in re.findall(r"appsync_events\.(\w+)", text)}
    handlers = {"provisioners._provision_resource", "provisioners._update_resource", "provisioners._delete_resource"}
    assert used | handlers == SOURCES.keys()
    assert VERSION in text


def test_it_knows_what_the_template_has_of_appsync() -> None:
    assert {each["Type"] for each in RESOURCES.values() if each["Type"].startswith("AWS::AppSync::")} == {*TYPES}
