"""What client generators make of the served document: clients that compile, and do a whole verification.

`make test-stack` installs the generators, at one version each, and runs this.
"""

import json
import os
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from local.build import ROOT
from tests.support.client import new_address

JOURNEYS = Path(__file__).parent / "journeys"
PYTHON_TOOLS = ROOT / ".venv-clients/bin"
NPM_TOOLS = ROOT / ".clients/node_modules"
SECONDS = 600
TSC = "--strict --target es2022 --lib es2022,dom --module commonjs --moduleResolution node10 --skipLibCheck"

Generate = Callable[[Path, Path], None]


def run(*command: str | Path, directory: Path, **environment: str) -> str:
    """Run a command of the tools, which must succeed, and give what it prints."""
    path = f"{PYTHON_TOOLS}:{NPM_TOOLS / '.bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=directory,
        # Java would take a quarter of the machine's memory.
        env={**os.environ, "PATH": path, "REDOCLY_TELEMETRY": "off", "JDK_JAVA_OPTIONS": "-Xmx512m", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where Node finds the tools' packages."""
    (tmp_path / "node_modules").symlink_to(NPM_TOOLS)
    return tmp_path


@pytest.fixture
def document(stack: dict[str, str], tmp_path: Path) -> Path:
    """What the stack serves."""
    served = tmp_path / "openapi.json"
    served.write_bytes(requests.get(f"{stack['BASE_URL']}/openapi.json", timeout=60).content)
    return served


def openapi_generator(language: str, document: Path, to: Path, *more: str) -> None:
    run("openapi-generator-cli", "generate", "-g", language, "-i", document, "-o", to, *more, directory=document.parent)


# Each makes ./callverify_client or ./client of the document.


def openapi_python_client(document: Path, to: Path) -> None:
    made = to / "callverify_client"
    run(
        "openapi-python-client", "generate", "--path", document, "--output-path", made, "--meta", "none",
        "--fail-on-warning", directory=to,
    )  # fmt: skip


def openapi_generator_python(document: Path, to: Path) -> None:
    openapi_generator("python", document, to, "--package-name", "callverify_client")


def openapi_typescript(document: Path, to: Path) -> None:
    run("openapi-typescript", document, "--output", to / "client.ts", directory=to)


def typescript_fetch(document: Path, to: Path) -> None:
    openapi_generator("typescript-fetch", document, to / "client")


def compiled(directory: Path, *sources: str) -> None:
    run("tsc", *TSC.split(), "--outDir", "made", *sources, directory=directory)


@pytest.mark.parametrize(
    ("journey", "generate"),
    [
        ("openapi_python_client.py", openapi_python_client),
        ("openapi_generator_python.py", openapi_generator_python),
        ("openapi_typescript.ts", openapi_typescript),
        ("typescript_fetch.ts", typescript_fetch),
    ],
    ids=lambda value: value.partition(".")[0] if isinstance(value, str) else "",
)
def test_a_whole_verification(
    journey: str, generate: Generate, stack: dict[str, str], document: Path, directory: Path
) -> None:
    generate(document, directory)
    program = directory / journey
    program.write_text((JOURNEYS / journey).read_text())
    command: tuple[str | Path, ...] = ("python", program)
    if program.suffix == ".ts":
        compiled(directory, journey)
        command = ("node", directory / "made" / program.with_suffix(".js").name)
    number = random.randint(0, 9_999_998)
    user = {
        "FLASH_PHONE": f"+7900{number:07}",
        "REVERSE_PHONE": f"+7900{number + 1:07}",
        "END_USER_IP": new_address(),
    }
    environment = {name: stack[name] for name in ("BASE_URL", "API_KEY", "SIMULATOR_URL")}
    seen: dict[str, Any] = json.loads(run(*command, directory=directory, **environment, **user))
    assert seen.pop("number").startswith("+7")
    assert seen.pop("events")[-1] == "verification.verified"
    assert seen == {
        "read": "pending",
        "wrong": [False, 4],
        "right": [True, "verified", "code_matched", True],
        "refused": [409, "verification_not_pending"],
        "canceled": ["canceled", "canceled_by_client"],
    }


def test_typescript_axios_compiles(document: Path, directory: Path) -> None:
    openapi_generator("typescript-axios", document, directory / "client")
    compiled(directory, "client/index.ts")
    assert "listEvents" in (directory / "client/api.ts").read_text()


def test_no_generator_loses_list_events(document: Path, directory: Path) -> None:
    languages = ["go", "java", "kotlin", "csharp", "php", "ruby", "rust", "swift6", "dart"]
    for language in languages:
        configuration = {"generatorName": language, "inputSpec": str(document), "outputDir": language}
        (directory / f"{language}.yaml").write_text(json.dumps(configuration))
    files = [f"{language}.yaml" for language in languages]
    run("openapi-generator-cli", "batch", "--threads", "2", *files, directory=directory)
    for language in languages:
        # Its documentation and tests name the operation even where the client has lost it.
        sources = [path for path in (directory / language).rglob("*") if path.is_file()]
        sources = [path for path in sources if not re.search("doc|test|README", str(path.relative_to(directory)))]
        found = [path for path in sources if re.search("list_?events", path.read_text(errors="ignore"), re.IGNORECASE)]
        assert found, language


def test_linters_find_no_error(directory: Path) -> None:
    document = ROOT / "docs/openapi.yaml"
    (directory / "rules.yaml").write_text("extends: ['spectral:oas']")
    run("redocly", "lint", document, directory=directory)
    run("spectral", "lint", "--ruleset", "rules.yaml", document, directory=directory)
