"""A vendor's own port refuses connections while its next fault says so."""

import socket
import sys
from collections.abc import Iterator

import pytest
import requests

from callverify.domain.words import Outcome, Reason
from callverify.providers.names import NAMES
from simulators import ports
from simulators.__main__ import QuietHandler
from simulators.app import create_app
from simulators.vendor import World
from tests.providers.simulators.test_over_http import start
from tests.support.client import until
from tests.support.simulators import PHONE

FIRST, SECOND = NAMES[:2]


class Stand:
    """Simulators with a port for each vendor."""

    def __init__(self) -> None:
        world = World()
        app = create_app(world)
        self.faults = world.faults
        self._steering = app.test_client()
        world.ports.open(NAMES, "127.0.0.1", app, QuietHandler)
        self.ports: dict[str, int] = self._steering.get("/ports").get_json()["ports"]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def fault(self, name: str, mode: str, **more: object) -> None:
        assert self._steering.post("/faults", json={"provider": name, "mode": mode, **more}).status_code == 200

    def clear(self) -> None:
        self._steering.delete("/faults")

    def left(self) -> list[object]:
        return [each["times_left"] for each in self._steering.get("/faults").get_json()["faults"]]

    def answers(self, name: str) -> bool:
        """Whether a connection is accepted."""
        try:
            requests.get(f"{self.url(name)}/ports", timeout=60)
        except requests.ConnectionError:
            return False
        return True


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    stand.clear()


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_connection_is_one_on_which_nothing_was_sent(stand: Stand, name: str) -> None:
    stand.fault(name, "refused", times=None)
    failed = start(stand.url(name), name)
    assert (failed.outcome, failed.reason) == (Outcome.UNAVAILABLE, Reason.UNREACHABLE)
    assert [stand.answers(other) for other in NAMES if other != name] == [True] * (len(NAMES) - 1)
    stand.clear()
    assert start(stand.url(name), name).outcome is Outcome.STARTED


def test_a_fault_of_some_calls_alone_leaves_the_port_open(stand: Stand) -> None:
    stand.fault(FIRST, "refused", phone=PHONE)
    stand.fault(FIRST, "refused", on="check")
    stand.fault(SECOND, "http_500")
    stand.fault(SECOND, "refused")
    assert [stand.answers(name) for name in (FIRST, SECOND)] == [True, True]


def test_closed_ports_open_when_as_many_were_refused_as_should_be(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = [100]  # since the machine has started
    monkeypatch.setattr(ports, "failed_connections", lambda: refused[0])
    stand.fault(FIRST, "refused", times=2)
    stand.fault(SECOND, "refused", times=1)
    assert [stand.answers(name) for name in (FIRST, SECOND)] == [False, False]
    assert not stand.faults.refused([FIRST, SECOND], connections=2)
    refused[0] += 3
    until(stand.left, lambda left: left == [])
    until(lambda: [stand.answers(name) for name in (FIRST, SECOND)], all)


def test_a_refusal_waits_for_the_faults_before_it(stand: Stand) -> None:
    stand.fault(FIRST, "http_500")
    stand.fault(FIRST, "refused", times=None)
    assert start(stand.url(FIRST), FIRST).reason is Reason.HTTP_ERROR
    until(lambda: stand.answers(FIRST), lambda answers: not answers)


def test_refused_connections_are_counted_on_linux_and_nowhere_else() -> None:
    before = ports.failed_connections()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 9))
    counted = ports.failed_connections() > before
    assert counted == (sys.platform == "linux")
