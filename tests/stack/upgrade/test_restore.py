"""docs/restoring.md, walked: a table of an earlier time, and what is then so."""

import json
from pathlib import Path

import pytest

from local.aws import STACK_NAME, EmbeddedAws
from local.background import background_stack
from local.env import write_env
from tests.support.client import Api, Secrets, Vendors, new_phone, until
from tests.support.command import callverify


def given(aws: EmbeddedAws) -> dict[str, str]:
    (described,) = aws.cloud_formation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"] if each["ParameterValue"]}


@pytest.mark.stack
def test_the_stack_goes_on_with_a_restored_table(tmp_path: Path) -> None:
    with background_stack(tmp_path) as env:
        used = Secrets()
        api, vendors = Api(env, used), Vendors(env, used)
        aws = EmbeddedAws(int(env["AWS_ENDPOINT_URL"].rpartition(":")[2]))
        write_env(tmp_path / "profile", env)

        def cursor() -> str:
            return str(
                until(lambda: api.send("GET", "/events?limit=100").expect(200), lambda page: page["events"])["next"]
            )

        # Until the time that is restored: one that is pending, with a wrong code, and a hold on another phone.
        phone, held = new_phone(), new_phone()
        pending = api.started(phone, method="flash_call", provider="ucaller")
        assert not api.check(pending.id, vendors.wrong_code(phone)).expect(200)["valid"]
        ended = api.started(held, provider="smsc", method="reverse_call")
        api.cancel(ended.id).expect(200)
        before = cursor()

        # The embedded AWS restores what is there now.
        done = callverify("restore", "--profile", str(tmp_path / "profile"), "--table", "earlier", "--json")
        assert done.returncode == 0, done.stderr
        restored = json.loads(done.stdout)

        # What is forgotten.
        assert not api.check(pending.id, vendors.wrong_code(phone)).expect(200)["valid"]
        assert api.read(pending.id).expect(200)["checks_remaining"] == 3
        later = api.started(new_phone(), method="flash_call", provider="ucaller")
        until(lambda: api.send("GET", f"/events?after={before}").expect(200)["events"], lambda events: len(events) > 1)
        after = api.send("GET", f"/events?after={before}").expect(200)["next"]

        aws.deploy(
            tmp_path / "build",
            {**given(aws), "RestoredTableStreamArn": restored["stream_arn"]},
            tmp_path / "restore.log",
        )
        assert aws.output("TableName") == "earlier"
        assert api.read(later.id).status == 404
        assert api.read(pending.id).expect(200)["checks_remaining"] == 4
        api.send("GET", f"/events?after={before}").expect(200)
        api.send("GET", f"/events?after={after}").expect(409, "cursor_unknown")
        answered = until(  # once its cooldown is over
            lambda: api.start(held, provider="smsc", method="reverse_call"), lambda answer: answer.status != 429
        )
        refused = answered.expect(503, "no_provider_available")
        assert [route["reason"] for route in refused["skipped"]] == ["held"]
        assert api.check(pending.id, vendors.code(phone)).expect(200)["valid"]
        # Its stream leads to events and follow-ups.
        until(
            lambda: api.send("GET", f"/events?after={before}").expect(200)["events"],
            lambda events: any(event["type"] == "verification.verified" for event in events),
        )
        assert "earlier" in callverify("doctor", "--profile", str(tmp_path / "profile")).stdout
