"""What the documents say of the repository is so: links, paths, commands, parameters, metrics, alarms."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

from callverify.domain.words import Evidence
from callverify.providers import registry
from callverify.providers.base import Code, Route
from callverify.providers.sandbox import TEST_NUMBERS
from tests.repository.test_template import counted_metrics
from tests.support.template import PARAMETERS, RESOURCES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PROVIDERS = (ROOT / "docs/providers/README.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def documents() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in names.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its level."""
    level = heading.split(" ")[0]
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> list[list[str]]:
    """The cells of the rows of Markdown tables."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def rows(text: str) -> list[list[str]]:
    """The rows that begin with a name."""
    return [cells for cells in table(text) if re.fullmatch(r"`[^`]+`", cells[0].strip())]


def names(text: str) -> list[str]:
    return [cells[0].strip("` ") for cells in rows(text)]


def anchors(path: Path) -> set[str]:
    text = CODE_BLOCK.sub("", path.read_text())
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    broken, seen = [], 0
    for document in documents():
        for link in LINK.findall(CODE_BLOCK.sub("", document.read_text())):
            if re.match(r"[a-z]+:", link):
                continue
            seen += 1
            name, _, anchor = link.partition("#")
            target = document.parent / name if name else document
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert broken == []
    assert seen > 10


def test_every_document_is_listed() -> None:
    listed = {
        (ROOT / "docs" / link).resolve()
        for link in LINK.findall((ROOT / "docs/README.md").read_text())
        if not re.match(r"[a-z]+:", link)
    }
    there = {*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.yaml")} - {ROOT / "docs/README.md"}
    assert there <= listed


def test_layout_names_what_is_there() -> None:
    (layout,) = CODE_BLOCK.findall(section((ROOT / "CONTRIBUTING.md").read_text(), "## What is where"))
    folder, named = "", set()
    for line in layout.splitlines()[1:-1]:
        indented = line.startswith(" ")
        listed = re.match(r" *((?:[\w./]+, )*[\w./]+)(?= )", line)
        assert listed, line
        for path in listed[1].split(", "):
            full = f"{folder}{path}" if indented else path
            assert (ROOT / full).exists(), full
            assert path.endswith("/") is (ROOT / full).is_dir(), full
            named.add(full)
        if not indented:
            folder = listed[1]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {f"{name.split('/')[0]}/" for name in tracked if "/" in name and not name.startswith(".")}
    # How dependencies are locked is the Makefile's business.
    assert folders - {"requirements/"} <= {f"{name.split('/')[0]}/" for name in named}


def test_decisions_are_numbered_indexed_and_named_by_their_numbers() -> None:
    text = (ROOT / "docs/decisions.md").read_text()
    headings = re.findall(
        r"^### (\d+)\. (.+)\n\n(\d{4}-\d\d-\d\d(?:, changed \d{4}-\d\d-\d\d)?)\. ", text, re.MULTILINE
    )
    assert text.count("\n### ") == len(headings), (
        "a decision begins with `### <number>. <title>`, a blank line and its date"
    )
    # Changes that are made beside each other take numbers that leave gaps for a while.
    numbers = {int(number) for number, _, _ in headings}
    assert len(numbers) == len(headings)
    assert min(numbers) == 1
    index = re.findall(r"^\| (\d+) \| \[(.+)\]\(#.+\) \| (.+) \|$", text, re.MULTILINE)
    assert index == headings, "the index has a row for each decision, in the order of the page"
    by_subject = re.findall(r"\]\(#(\d+)-", section(text, "## By subject"))
    assert sorted(map(int, by_subject)) == sorted(numbers), "each decision stands under one subject"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    sources = [name for name in tracked if Path(name).suffix in {".py", ".yaml", ".js", ".md", ".toml"}]
    named = [
        (name, number)
        for name in sources
        if (ROOT / name).is_file()
        for match in re.findall(r"\b[Dd]ecisions? (\d+(?:(?:,| and| to) \d+)*)", (ROOT / name).read_text())
        for number in re.findall(r"\d+", match)
    ]
    assert len(named) > 10
    assert [each for each in named if int(each[1]) not in numbers] == []


def test_commands_of_make_exist() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    targets = {target for line in phony for target in line.split()}
    settings = set(re.findall(r"^(\w+) \??=", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    seen = 0
    for document in documents():
        text = document.read_text()
        if document.name == "CHANGELOG.md":
            text = section(text, "## [Unreleased]")  # released versions had commands of their own
        for target, rest in re.findall(r"(?:`|^|\()make (?:-s )?([a-z-]+)([^`\n]*)", text, re.MULTILINE):
            assert target in targets, f"{document.relative_to(ROOT)}: make {target}"
            assert set(re.findall(r" ([A-Z_]+)=", rest)) <= settings, (
                f"{document.relative_to(ROOT)}: make {target}{rest}"
            )
            seen += 1
    assert seen > 3


# Blocks that only an account in AWS, a foreground process or Docker can run; all others run in tests/repository/local.
NOT_ON_THE_STACK = (
    "make dev",
    "make install\n.venv/bin/callverify deploy",
    ".venv/bin/callverify ",
    "git ",
    "make build\n.venv/bin/sam deploy",
    "aws ",
    "cd examples/better-auth",
    "REGION=$(aws ",
    "API_ID=$(aws ",
    'echo "[',
    ".venv/bin/sam local",
)


def test_blocks_that_are_meant_to_be_run_hold_commands_alone() -> None:
    seen = 0
    for document in documents():
        text = document.read_text()
        assert "```console" not in text, document
        for block in re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            assert block.startswith((". .dev/env\n", *NOT_ON_THE_STACK)), f"{document.name}: {block}"
            # A prompt, a gap to fill in, or a comment, which zsh takes for a command.
            assert not re.search(r"^\s*[$#>] |…|<[a-z]", block, re.MULTILINE), f"{document.name}: {block}"
            seen += 1
    assert seen > 10


def test_no_secret_is_read_from_a_file_of_the_clone() -> None:
    for document in documents():
        assert re.findall(r"file://(?!/dev/stdin)\S+", document.read_text()) == [], document
    ignored = ["credentials.json", "credentials-prod.json", "signing.pem", "private.key", ".env", ".dev/env"]
    known = subprocess.run(["git", "check-ignore", *ignored], cwd=ROOT, capture_output=True, text=True, check=False)
    assert known.stdout.split() == ignored


def test_the_readme_deploys_without_pinning_a_default() -> None:
    lead = section(README, "## Deploy it")
    assert lead.index("callverify deploy") < lead.index("--guided")
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    settings = {name: value for table in config["default"].values() for name, value in table["parameters"].items()}
    assert "parameter_overrides" not in settings


def test_examples_of_secrets_are_json() -> None:
    blocks = re.findall(r"```json\n(.*?)```", OPERATIONS, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        json.loads(block)


def test_every_parameter_is_explained() -> None:
    assert names(section(OPERATIONS, "## Parameters")) == list(
        dict.fromkeys(names(section(OPERATIONS, "## Parameters")))
    )
    assert set(names(section(OPERATIONS, "## Parameters"))) == PARAMETERS.keys()


def test_defaults_are_those_of_the_template() -> None:
    said = {cells[0].strip("`"): cells[1].strip("` ") for cells in rows(section(OPERATIONS, "## Parameters"))}
    assert said
    assert said == {name: str(PARAMETERS[name]["Default"]) for name in said}


def test_the_credentials_of_every_route_are_listed() -> None:
    said = {
        cells[1].strip("`"): cells for cells in table(section(PROVIDERS, "## Credentials")) if "/vendors/" in cells[0]
    }
    for each in registry.manifests():
        vendor, _, free, paid, credentials = said.pop(each.name)
        assert vendor == f"[{each.title}](../../vendors/{each.name}/README.md)"
        for cell, is_paid in ((free, False), (paid, True)):
            methods = [str(route.method) for route in each.routes if route.paid is is_paid]
            assert re.findall(r"`(\w+)`", cell) == methods, each.name
        fields = {name for field in each.credentials for name in field.names}
        assert set(re.findall(r"`(\w+)`", credentials)) == fields, each.name
    assert said == {}


def test_the_comparison_of_vendors_lists_every_route() -> None:
    said = [cells[:4] for cells in table(section(PROVIDERS, "## Routes")) if cells[1].startswith("`")]
    assert said == [
        [each.title, f"`{route.method}`", picks(route.code), f"`{evidence(route)}`"]
        for each in registry.manifests()
        for route in each.routes
    ]


def picks(code: Code | None) -> str:
    return f"{'we' if code.ours else 'the vendor'}, {code.digits} digits" if code else "–"


def evidence(route: Route) -> Evidence:
    if route.code:
        return Evidence.CODE_MATCHED if route.code.ours else Evidence.VENDOR_CODE_MATCHED
    return Evidence.PROVIDER_READ_BACK if route.read_back else Evidence.PROVIDER_SIGNATURE


def test_every_function_is_explained() -> None:
    parts = section((ROOT / "docs/how-it-works.md").read_text(), "## The parts")
    named = [name for cells in table(parts) for name in re.findall(r"`(\w+)`", cells[0])]
    assert sorted(named) == sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


def test_every_metric_is_explained() -> None:
    assert set(names(section(OPERATIONS, "## Metrics"))) == counted_metrics()


def test_every_alarm_is_explained() -> None:
    alarms = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert {name for name in names(section(OPERATIONS, "## Alarms")) if name.endswith("Alarm")} == alarms


def test_every_dead_letter_queue_is_explained() -> None:
    queues = {name for name, resource in RESOURCES.items() if name.endswith("DeadLetterQueue")}
    assert set(names(section(OPERATIONS, "### Dead letters"))) == queues


def test_every_secret_is_explained() -> None:
    made = {
        resource["Properties"]["Name"]["Sub"].partition("/")[2]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::SecretsManager::Secret"
    }
    assert {name.partition("/")[2] for name in names(section(OPERATIONS, "## Secrets")) if "/" in name} == made


def test_test_numbers_are_those_of_test_mode() -> None:
    assert names(section((ROOT / "docs/local-stack.md").read_text(), "## Test mode")) == list(TEST_NUMBERS)


def test_documents_name_no_number_but_test_numbers() -> None:
    for document in documents():
        for phone in re.findall(r"(?<!\d)(?:\+7|7|8)9\d{9}(?!\d)", document.read_text()):
            assert re.fullmatch(r"(\+7|7|8)900000\d{4}", phone), f"{document.relative_to(ROOT)}: {phone}"
