"""A deployment of this version over itself, with every parameter changed, in the middle of verifications."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.parameters import check, declared, defaults
from local.aws import ALIAS, STACK_NAME, EmbeddedAws
from local.background import background_stack
from tests.support.client import Api, Secrets, Vendors, new_phone, until

# Not of this machine: a domain is another address, a processor another build, and a table has a test of its own.
LEFT = {"PublicBaseUrl", "DomainName", "CertificateArn", "HostedZoneId", "Architecture", "RestoredTableStreamArn"}
# It changes the API's definition, which the embedded AWS makes anew: test_upgrade.py has that.
LEFT |= {"AllowedOrigins"}
# What a rule can't tell.
CHOSEN = {
    "ProviderOrder": "smsc,ucaller,telefon_ip",
    "AllowedCountries": "RU,KZ,GE",
    "DefaultCountry": "KZ",
    "ReturnOrigins": "https://shop.example",
    "CognitoUserPoolArn": "pending",
    "EventWebhookUrl": "https://shop.example/events",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
    "Brands": '{"acme": {"name": "Acme"}}',
    "EventRetentionHours": "36",
    "BrandName": "Shop",
    "BrandColor": "#336699",
    "BrandLogoUrl": "https://shop.example/logo.svg",
    "SupportUrl": "https://shop.example/help",
    "StartConcurrency": "50",
    "DeliveryConcurrency": "5",
}


def changed(name: str, declaration: Mapping[str, Any], now: str) -> str:
    """Another value that the template allows."""
    if name in CHOSEN:
        return CHOSEN[name]
    if "AllowedValues" in declaration:
        return next(value for value in map(str, declaration["AllowedValues"]) if value.lower() != now.lower())
    more = int(now) + 1
    return str(more if more <= declaration.get("MaxValue", more) else more - 2)


@pytest.mark.stack
def test_every_parameter_can_change_in_the_middle_of_verifications(tmp_path: Path) -> None:
    with background_stack(tmp_path) as env:
        session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
        aws = EmbeddedAws(int(env["AWS_ENDPOINT_URL"].rpartition(":")[2]))
        (described,) = aws.cloud_formation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        given = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
        values = defaults(declared()) | given
        wanted = {name: changed(name, declared()[name], values[name]) for name in declared().keys() - LEFT}
        check(wanted)
        assert [name for name, value in wanted.items() if value == values[name]] == []

        used = Secrets()
        api, vendors = Api(env, used), Vendors(env, used)
        phone, caller = new_phone(), new_phone()
        flash = api.started(phone, method="flash_call", provider="ucaller", idempotency_key=f"click {phone}")
        reverse = api.started(caller, method="reverse_call", provider="telefon_ip")
        kept = {name: given[name] for name in LEFT & given.keys() if given[name]}
        aws.deploy(tmp_path / "build", kept | wanted, tmp_path / "update.log")

        client = session.client("lambda", endpoint_url=env["AWS_ENDPOINT_URL"])
        names = [each["FunctionName"] for each in client.list_functions()["Functions"]]
        assert len(names) > 5
        for name in names:
            live = client.get_function_configuration(FunctionName=name, Qualifier=ALIAS)
            assert live["Environment"]["Variables"]["RETENTION_HOURS"] == wanted["RetentionHours"], name

        again = api.start(phone, method="flash_call", provider="ucaller", idempotency_key=f"click {phone}")
        assert (again.status, again.id, again.replayed) == (200, flash.id, True)
        assert api.check(flash.id, vendors.code(phone)).expect(200)["valid"]
        vendors.dial(caller, reverse)
        assert api.wait_until(reverse.id, "verified")["evidence"] == "provider_read_back"
        found = {
            flash.id: {"verification.created", "verification.started", "verification.verified"},
            reverse.id: {"verification.created", "verification.started", "verification.verified"},
        }

        def events() -> dict[str, set[str]]:
            page = api.send("GET", "/events?limit=100").expect(200)["events"]
            return {id_: {each["type"] for each in page if each["data"]["id"] == id_} for id_ in found}

        until(events, lambda seen: seen == found)
        started = api.started(new_phone(), method="reverse_call")
        assert "updates" not in started.body
