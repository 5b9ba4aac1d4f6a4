"""The quick start of /docs runs as it is copied, in every language, with a test key."""

import html
import re
import subprocess
import sys

import pytest
import requests

from tools.render_docs.examples import LANGUAGES

COMMANDS = {
    "curl": ["bash", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_quick_start_runs_as_it_is_copied(stack: dict[str, str], language: str) -> None:
    page = requests.get(f"{stack['BASE_URL']}/docs", timeout=60).text
    section = page.partition('<section id="quick-start"')[2].partition("</section>")[0]
    programs = re.findall(rf'<div data-language="{language}">.*?<pre><code>(.*?)</code>', section, re.DOTALL)
    assert len(programs) == 2
    assert f"export BASE_URL={stack['BASE_URL']}\n" in section
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    environment |= {"BASE_URL": stack["BASE_URL"], "API_KEY": stack["TEST_API_KEY"]}
    for program in programs:
        ran = subprocess.run(
            [*COMMANDS[language], html.unescape(program)],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "verified" in ran.stdout.splitlines()[-1]
