from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.functional import harness
from tests.functional.harness import TABLE, Api, VendorServer
from tests.simulators.harness import Simulators


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[VendorServer]:
    server = VendorServer()
    yield server
    server.close()


@pytest.fixture
def api(
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
    monkeypatch.setattr("callverify.wiring.boto3.client", harness.aws_client)
    with mock_aws():
        harness.create_table(TABLE)
        harness.put_secrets()
        harness.clear_caches()
        api = Api(simulators, logged)
        cabinet = {
            "handler_url": f"https://api.example/v1/webhooks/smsc/{harness.SMSC_WEBHOOK_TOKEN}",
            "callback_secret": harness.SMSC_SECRET,
        }
        simulators.client.post("/smsc/cabinet", json=cabinet)
        yield api
        api.assert_nothing_leaked()
    harness.clear_caches()
