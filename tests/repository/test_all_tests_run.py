"""No test is left out of the commands that run them."""

from tests.stack.__main__ import PATHS
from tests.support.template import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_a_command_names_every_folder_of_tests() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    named = {*PATHS, *(word for word in MAKEFILE.split() if word.startswith("tests/"))}
    left = [each for each in folders if not {str(each), *map(str, each.parents)} & named]
    assert left == []
    assert len(folders) > 10
