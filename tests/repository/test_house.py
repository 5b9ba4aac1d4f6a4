"""The rules of the house: no vendor is named outside its folders, and everything is small enough to be read at once."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from callverify.providers.names import NAMES
from callverify.service.policy import Policy

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "layers/callverify/callverify"
SEARCHED = ("layers", "functions", "local", "simulators", "cli", "tools", "attacks", "bench", "template.yaml")
# Twilio is a vendor of calls; its Verify is an API that ours speaks too, and no vendor.
VENDORS = re.compile(
    r"smsc|sms_?ru|ucaller|telefon.?ip|\bnew[_-]?tel\b|twilio(?!['s]*[ _-]?verify|[/~])", re.IGNORECASE
)
# Where a vendor may be named: its own folders, the list of names, what is generated, and what was measured.
ALLOWED = re.compile(
    r"(layers/callverify/callverify/providers|vendors)/(" + "|".join(NAMES) + r")/"
    r"|layers/callverify/callverify/providers/names\.py$"
    r"|(layers/callverify/callverify/edge|functions)/twilio_verify/"
    r"|functions/serve_docs/(openapi\.json|docs\.html)$"
    r"|bench/[^/]+\.(md|json)$"
)
MOST_LINES, MOST_METHODS, MOST_FUNCTION_LINES = 400, 20, 45
# 1,600; what push needs: an Event API with its authorizer, and its hosts in each function that publishes; what a user
# pool needs: a function with its permission, and what it may do to accounts; a function for each door.
MOST_TEMPLATE_LINES = 1800


def tracked(*folders: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def test_no_vendor_is_named_outside_its_folders() -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in tracked(*SEARCHED)
        if not ALLOWED.match(name)
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1)
        if VENDORS.search(line)
    ]
    order = [line for line in found if re.match(r"template\.yaml:\d+: Default: ", line)]
    assert len(order) == 1, order
    assert ",".join(NAMES) in order[0]
    assert [line for line in found if line not in order] == []


def modules() -> list[Path]:
    return [ROOT / name for name in tracked("layers/callverify/callverify") if name.endswith(".py")]


@pytest.mark.parametrize("module", modules(), ids=lambda module: str(module.relative_to(LAYER)))
def test_every_file_class_and_function_of_the_layer_is_small(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_FUNCTION_LINES, node.name
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            assert len(methods) <= MOST_METHODS, node.name


def test_the_template_is_short() -> None:
    assert len((ROOT / "template.yaml").read_text().splitlines()) <= MOST_TEMPLATE_LINES


def test_settings_alone_read_the_environment() -> None:
    readers = [module.relative_to(LAYER).as_posix() for module in modules() if "os.environ" in module.read_text()]
    # AWS's own variables, in the other two.
    assert sorted(readers) == ["__init__.py", "aws.py", "runtime/settings.py"]


def test_the_mode_is_asked_for_where_the_lane_is_chosen() -> None:
    """Nothing in service or store does one thing for a test key and another for a live one."""
    asked = [
        f"{module.relative_to(LAYER)}:{number}"
        for folder in ("service", "store", "domain")
        for module in sorted((LAYER / folder).glob("*.py"))
        for number, line in enumerate(module.read_text().splitlines(), 1)
        if re.search(r"(is|is not|==|!=|in) \(?Mode\.", line)
    ]
    assert [place.partition(":")[0] for place in asked] == ["service/context.py"]  # how an id is spelled


def test_every_limit_of_the_policy_is_a_parameter() -> None:
    """The default stands in code once: the template's is held to it elsewhere."""
    settings = (LAYER / "runtime/settings.py").read_text()
    counts = [name for name in Policy.__dataclass_fields__ if isinstance(getattr(Policy(), name), int)]
    assert len(counts) > 10
    for name in counts:
        assert len(re.findall(rf'{name}=number\("\w+", standard\.{name}\)', settings)) == 1, name
