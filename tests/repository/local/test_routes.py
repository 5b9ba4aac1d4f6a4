"""A local stack that does not come up says where to look."""

from pathlib import Path

import pytest
import requests

from local import stack
from local.processes import HOST, LocalStackError, free_port
from local.template import Route


def test_a_route_that_does_not_answer_leads_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "ROUTE_SECONDS", 0)
    monkeypatch.setattr("local.stack.time.sleep", lambda _: None)
    with pytest.raises(
        LocalStackError, match=r"does not work: no answer\nWhat the functions log is in /x/functions.log"
    ):
        stack._wait_for_routes(
            [Route("GET", "/page", is_open=True)], f"http://{HOST}:{free_port()}", "key", Path("/x/functions.log")
        )


def test_routes_that_answer_one_after_the_other_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each starts a process, and a machine that does other things too is slow."""
    now = 0.0

    def request(*_: object, **__: object) -> requests.Response:
        nonlocal now
        now += stack.ROUTE_SECONDS / 4
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr("local.stack.time.monotonic", lambda: now)
    monkeypatch.setattr("local.stack.requests.request", request)
    stack._wait_for_routes([Route("GET", f"/{number}", is_open=True) for number in range(20)], "", "", Path())
    assert now > stack.ROUTE_SECONDS
