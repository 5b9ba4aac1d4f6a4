from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.support import gateway
from tests.support.gateway import TABLE, Api, VendorServer
from tests.support.simulators import Simulators


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[VendorServer]:
    server = VendorServer()
    yield server
    server.close()


@pytest.fixture(scope="package")
def aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched, mock_aws():
        patched.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patched.setattr("callverify.aws.client", harness.aws_client)
        harness.create_secrets()
        yield


# Their tests run at API Gateway's own address and at a custom domain.
JOURNEYS = {"test_ends", "test_flash_call", "test_repeat", "test_reverse_call", "test_start", "test_test_mode"}


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
    """The service at the template's defaults; `@pytest.mark.parametrize("api", [{...}], indirect=True)` changes some.

    At the end of every test, whatever it was about: nothing leaked.
    """
    parameters: dict[str, str] = getattr(request, "param", {})
    for name, value in (harness.environment(vendor_server.url) | parameters).items():
        monkeypatch.setenv(name, value)
    simulators = vendor_server.simulators = Simulators()
    log = io.StringIO()
    monkeypatch.setattr(harness.log_handler, "stream", log)

    def logged() -> str:
        log.write(capsys.readouterr().out)  # metrics are printed
        return log.getvalue()

    harness.use_clock(monkeypatch, lambda: simulators.now)
    harness.create_table(TABLE)
    harness.clear_caches()
    cabinet = {
        "handler_url": f"https://api.example/v1/webhooks/smsc/{harness.SMSC_WEBHOOK_TOKEN}",
        "callback_secret": harness.SMSC_SECRET,
    }
    simulators.client.post("/smsc/cabinet", json=cabinet)
    api = Api(simulators, logged)
    api.at_custom_domain = at_custom_domain
    yield api
    try:
        api.assert_nothing_leaked()
    finally:
        harness.restore_secrets()
        harness.drop_table(TABLE)
        harness.clear_caches()
