"""A local stack that does not come up says where to look."""

from pathlib import Path

import pytest

from local import stack
from local.processes import HOST, LocalStackError, free_port
from local.template import Route


def test_a_route_that_does_not_answer_leads_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "ROUTES_SECONDS", 0)
    monkeypatch.setattr("local.stack.time.sleep", lambda _: None)
    with pytest.raises(
        LocalStackError, match=r"does not work: no answer\nWhat the functions log is in /x/functions.log"
    ):
        stack._wait_for_routes(
            [Route("GET", "/page", is_open=True)], f"http://{HOST}:{free_port()}", "key", Path("/x/functions.log")
        )
