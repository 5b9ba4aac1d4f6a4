from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.support import surroundings
from tests.support.gateway import Api
from tests.support.surroundings import VendorServer


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[VendorServer]:
    server = VendorServer()
    yield server
    server.close()


@pytest.fixture(scope="package")
def aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched, mock_aws():
        patched.setenv("AWS_DEFAULT_REGION", surroundings.ENVIRONMENT["AWS_DEFAULT_REGION"])
        patched.setattr("callverify.aws.client", surroundings.aws_client)
        patched.setattr("callverify.aws.publisher_of_updates", surroundings.event_api.publisher)
        yield


# Their tests run at API Gateway's own address and at a custom domain.
JOURNEYS = {
    "test_ends",
    "test_flash_call",
    "test_repeat",
    "test_reverse_call",
    "test_signed_reports",
    "test_start",
    "test_switch",
    "test_test_mode",
    "test_webhook_bodies",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "at_custom_domain" in metafunc.fixturenames:
        journeys = metafunc.module.__name__.rpartition(".")[2] in JOURNEYS
        addresses = {"own address": False, "custom domain": True} if journeys else {"own address": False}
        metafunc.parametrize("at_custom_domain", addresses.values(), ids=addresses if journeys else [""])


@pytest.fixture
def api(
    aws: None,  # noqa: ARG001
    at_custom_domain: bool,
    request: pytest.FixtureRequest,
    vendor_server: VendorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Api]:
    """The service at the template's defaults; `@pytest.mark.parametrize("api", [{…}], indirect=True)` changes some.

    A file's PARAMETERS are changes for all of its tests.

    At the end of every test, whatever it was about: nothing leaked, and every verification has its history.
    """
    parameters: dict[str, str] = getattr(request.module, "PARAMETERS", {}) | getattr(request, "param", {})
    for name, value in surroundings.environment(**parameters).items():
        monkeypatch.setenv(name, value)
    log = io.StringIO()
    monkeypatch.setattr(surroundings.log_handler, "stream", log)

    def logged() -> str:
        log.write(capsys.readouterr().out)  # metrics are printed
        return log.getvalue()

    monkeypatch.setattr(surroundings, "queue", surroundings.Queue())
    monkeypatch.setattr(surroundings, "user_pool", surroundings.UserPool())
    surroundings.put_all_secrets(vendor_server)
    surroundings.create_table()
    surroundings.new_container()
    api = Api(vendor_server, logged)
    api.at_custom_domain = at_custom_domain
    surroundings.use_clock(monkeypatch, lambda: api.simulators.now)
    yield api
    try:
        api.assert_nothing_leaked()
        api.judge_histories()
    finally:
        surroundings.drop_table()
        surroundings.new_container()
