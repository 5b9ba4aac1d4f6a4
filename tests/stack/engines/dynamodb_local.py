"""DynamoDB Local, Amazon's own engine: fetched from inside an npm package, run by Java.

`python -m tests.stack.engines.dynamodb_local` fetches it into .tools/, once, or says in one line what is missing.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.processes import HOST, free_port, running

ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = ROOT / ".tools" / "dynamodb-local"
PACKAGE = "amplify-dynamodb-simulator@2.9.30"
SHA512 = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
INSIDE = "package/emulator/"


class Missing(Exception):
    """What it cannot be had without; the message is for the person who asked for it."""


def require_tools() -> None:
    """Raise Missing."""
    for tool, purpose, package in (
        ("npm", "to fetch DynamoDB Local with", "npm"),
        ("java", "to run DynamoDB Local with, 17 or newer", "openjdk-17-jre-headless"),
    ):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is needed {purpose}: apt-get install {package}, or as your system has it")


def fetch() -> None:
    """Have the engine in DIRECTORY. Raises Missing."""
    require_tools()
    if (DIRECTORY / "DynamoDBLocal.jar").exists():
        return
    DIRECTORY.parent.mkdir(exist_ok=True)
    (DIRECTORY.parent / ".gitignore").write_text("*\n")
    with tempfile.TemporaryDirectory(dir=DIRECTORY.parent) as name:
        directory = Path(name)
        packed = subprocess.run(
            ["npm", "pack", PACKAGE, "--silent", "--ignore-scripts"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        archives = list(directory.glob("*.tgz"))
        if packed.returncode or len(archives) != 1:
            raise Missing(f"npm could not fetch {PACKAGE}: {packed.stderr.strip()[-300:]}")
        digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if digest != SHA512:
            raise Missing(f"{PACKAGE} is not what it was: its sha512 is {digest}")
        with tarfile.open(archives[0]) as archive:
            members = [member for member in archive.getmembers() if member.name.startswith(INSIDE)]
            archive.extractall(directory, members, filter="data")
        (directory / INSIDE).rename(DIRECTORY)


@contextmanager
def dynamodb_local(directory: Path) -> Iterator[str]:
    """Run it until the block ends, all in memory, its log in `directory`: the endpoint's URL."""
    port = free_port()
    command: list[str | Path] = ["java", f"-Djava.library.path={DIRECTORY / 'DynamoDBLocal_lib'}", "-jar"]
    command += [DIRECTORY / "DynamoDBLocal.jar", "-inMemory", "-disableTelemetry", "-port", str(port)]
    environment = {"PATH": _path(), "HOME": str(directory)}
    with running(command, env=environment, cwd=directory, log=directory / "dynamodb-local.log"):
        yield f"http://{HOST}:{port}"


def _path() -> str:
    java = shutil.which("java")
    assert java is not None
    return f"{Path(java).parent}:/usr/bin:/bin"


if __name__ == "__main__":
    try:
        fetch()
    except Missing as missing:
        sys.exit(str(missing))
