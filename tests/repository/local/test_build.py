"""What `make build` makes: compiled for good, small, and with all that each function imports."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from importlib.machinery import SOURCE_SUFFIXES
from pathlib import Path

import botocore
import pytest

from local.build import build_for, host_architecture
from local.trim import OPERATIONS

ROOT = Path(__file__).parents[3]
FUNCTIONS = {
    path.parent.name: "".join(word.capitalize() for word in path.parent.name.split("_")) + "Function"
    for path in sorted((ROOT / "functions").glob("*/app.py"))
}
# What the Lambda runtime has besides the layer: botocore, and what that imports.
RUNTIME = ("boto3", "botocore", "dateutil", "s3transfer", "six.py")
UNCHECKED_HASH = 0b01
MAX_LAYER_BYTES = 5_000_000


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built functions and layer, as they are after `sam deploy` has zipped them and Lambda has unpacked them."""
    built, unpacked = tmp_path_factory.mktemp("built") / "build", tmp_path_factory.mktemp("unpacked")
    build_for(host_architecture(), built)
    for artifact in (path for path in built.iterdir() if path.is_dir()):
        archive = unpacked / f"{artifact.name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in sorted(path for path in artifact.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(str(path.relative_to(artifact)))  # dated 1980
                zipped.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(unpacked / artifact.name)
    for path in unpacked.rglob("*"):
        os.utime(path, (315532800, 315532800))
    return unpacked


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        (folder / name).symlink_to(Path(botocore.__file__).parents[1] / name)
    return folder


def test_every_module_is_compiled_and_trusts_its_source(artifacts: Path) -> None:
    sources = [path for path in artifacts.rglob("*") if path.suffix in SOURCE_SUFFIXES]
    assert len(sources) > 300
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert compiled[:4] == importlib.util.MAGIC_NUMBER, source
        assert int.from_bytes(compiled[4:8], "little") == UNCHECKED_HASH, source
        assert compiled[8:16] == importlib.util.source_hash(source.read_bytes()), source


def test_the_layer_is_small(artifacts: Path) -> None:
    assert (artifacts / "CallverifyLayer.zip").stat().st_size < MAX_LAYER_BYTES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_finds_what_it_imports(name: str, artifacts: Path, runtime: Path) -> None:
    """In a Python without site-packages; each import that a function makes late is made too."""
    code = f"""
import sys
sys.path[:0] = {[str(artifacts / FUNCTIONS[name]), str(artifacts / "CallverifyLayer" / "python"), str(runtime)]!r}
import app
late = {{"asyncio", "boto3", "importlib.metadata"}} & set(sys.modules)
assert not late, late
from callverify.domain import phone
phone.load_numbers_of("KZ")
assert phone.parse_phone("89000000101", default_country="RU", allowed_countries=["RU"]).e164 == "+79000000101"
import requests, standardwebhooks, urllib3
assert requests.models.Response.apparent_encoding.fget
from callverify.providers import http
assert http.VendorHttp()._session.verify == str(http.AUTHORITIES) and len(list(http.AUTHORITIES.iterdir())) > 100
from callverify import aws
for service in aws.SERVICES:
    assert aws.client(service).meta.endpoint_url.startswith("https://"), service
assert aws._authorities().endswith("roots.pem")
assert open(aws._authorities()).read().count("BEGIN CERTIFICATE") == 5
"""
    environment = {
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "POWERTOOLS_METRICS_NAMESPACE": "n",
    }
    command = [sys.executable, "-S", "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""


def test_the_operations_are_those_that_are_used() -> None:
    """Called, or passed on to be called."""
    used = {
        botocore.xform_name(node.attr)
        for path in (ROOT / "layers/callverify/callverify").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and re.search(r"(_client|_sqs\(\)|_bus|client\('\w+'\))$", ast.unparse(node.value))
    }
    assert used - {"close", "exceptions"} == {
        botocore.xform_name(name) for names in OPERATIONS.values() for name in names
    }
