"""`make bench` measures what is shipped, sees a handler that fails, and says which targets are missed."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench import artifacts, cold, peers
from bench.cold import Cold
from bench.counts import Counted, Taken
from bench.figures import figure
from bench.journeys import JOURNEYS, READ_BACK, Journey, Person
from bench.lambda_runtime import running_function
from bench.report import Results, render, targets
from bench.warm import Warm, told
from bench.wire import DYNAMODB, Sent, Wire
from bench.world import DIRECT, RECORDED, TABLE, World, credentials
from callverify.providers.names import NAMES
from local.build import ROOT
from tests.support.template import environment

EMPTY = artifacts.HERE / "floors" / "empty"
WRITE = Sent(DYNAMODB, "TransactWriteItems", {}, write_units=4)
WORLD = World({}, Wire("http://dynamodb", "http://simulators", {}), None)
READ = Sent(DYNAMODB, "GetItem", {}, read_units=1)


def test_what_is_measured_has_the_dates_of_its_zip_and_is_compiled() -> None:
    artifact = artifacts.folder(EMPTY)
    files = [path for path in artifact.directory.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".py", ".pyc"}
    assert {time.localtime(path.stat().st_mtime).tm_year for path in files} == {1980}
    assert artifact.unzipped == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("function", artifacts.functions())
def test_functions_have_the_variables_of_the_template(function: str) -> None:
    found = WORLD.environment(function)
    assert found["POWERTOOLS_SERVICE_NAME"] == environment(function)["POWERTOOLS_SERVICE_NAME"]
    assert found["TABLE_NAME"] == TABLE


def test_vendors_are_asked_by_the_wire_where_all_is_written_down() -> None:
    direct, recorded = (WORLD.environment("start_verification", recorded=each) for each in (False, True))
    assert direct["PROVIDER_CREDENTIALS_SECRET"] == DIRECT
    assert recorded["PROVIDER_CREDENTIALS_SECRET"] == RECORDED
    given = json.loads(credentials("http://wire"))
    assert {name: each["base_url"] for name, each in given.items()} == {name: f"http://wire/{name}" for name in NAMES}


def test_every_function_is_started() -> None:
    assert set(cold.EVENTS) == set(artifacts.functions())


@pytest.mark.skipif(sys.platform != "linux", reason="the Runtime Interface Emulator runs on Linux alone")
def test_a_function_runs_in_the_emulator(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import time\ntime.sleep(0.2)\nloaded = time.time()\n"
        "def handler(event, context):\n    return [1 / event['n'], loaded]\n"
    )
    with running_function(tmp_path, [artifacts.runtime()], {}) as function:
        half, loaded = function.invoke({"n": 2}).answer
        assert half == 0.5
        assert 200 < function.init_ms < 30_000
        again = function.invoke({"n": 2})
        assert again.answer == [0.5, loaded]
        assert 5 * 2**20 < function.peak_bytes() < 100 * 2**20
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            function.invoke({"n": 0})


def test_the_floor_sends_the_same_for_somebody_else() -> None:
    journey, other = Journey(WORLD, READ_BACK), Person()
    verification = "vrf_" + "a" * 26
    item = {"pk": {"S": f"verification#{verification}"}, "phone_hash": {"S": "0" * 64}, "n": {"N": "7"}}
    asked = {
        "path": f"/{NAMES[0]}/start/{verification}",
        "headers": {},
        "body": f'{{"phone": "8{journey.person.phone[2:]}"}}',
    }
    call = {"pk": {"S": f"call#{NAMES[0]}#7"}}
    sent = [
        *(Sent(DYNAMODB, "PutItem", {"TableName": "t", "Item": each}) for each in (item, call)),
        Sent(NAMES[0], "POST", asked),
    ]
    (put, known, start) = told(WORLD, journey, sent, other)["requests"]
    end = f"{other.number:06}"
    assert known["parameters"]["Item"] == {"pk": {"S": f"call#{NAMES[0]}#7-{end}"}}
    assert put["operation"] == "PutItem"
    assert put["parameters"]["Item"] == {
        "pk": {"S": f"verification#vrf_{'a' * 20}{end}"},
        "phone_hash": {"S": f"{'0' * 58}{end}"},
        "n": {"N": "7"},
    }
    assert start["url"].endswith(f"/{NAMES[0]}/start/vrf_{'a' * 20}{end}")
    assert json.loads(start["body"]) == {"phone": f"8{other.phone[2:]}"}


def results(
    *, init: float = 100, own_cpu: float = 1, writes: int = 1, control: float = 1, empty_again: float = 100
) -> Results:
    def started(value: float) -> Cold:
        return Cold(*(figure([value]) for _ in range(6)))

    names = [*artifacts.functions(), cold.EMPTY, cold.CLIENT, cold.EMPTY_AGAIN]
    artifact = artifacts.folder(EMPTY)
    journey = Journey(WORLD, READ_BACK)
    one = figure([1.0])
    return Results(
        artifacts=dict.fromkeys((artifacts.LAYER, *artifacts.functions()), artifact),
        cold={name: started(100) for name in names}
        | {peer: started(200) for peer in (peers.FASTAPI, peers.POWERTOOLS)}
        | {"authorize": started(init), cold.EMPTY_AGAIN: started(empty_again)},
        warm={(READ_BACK, "start"): Warm(one, figure([1 + own_cpu]), one, one, one, figure([control]))},
        peers_warm={},
        counted={
            name: Counted(
                journey,
                [
                    Taken(step, [READ] if step.name == "status read" else [WRITE] * writes)
                    for step in dict.fromkeys(steps)
                ],
            )
            for name, steps in JOURNEYS.items()
        },
        cold_rounds=1,
        warm_rounds=1,
        load=(0, 0),
    )


def missed(measured: Results) -> list[str]:
    return [target.name for target in targets(measured) if not target.met]


def test_targets_are_met_and_missed() -> None:
    assert missed(results()) == []
    assert "cold init of `authorize`, of the boto3 client's: at most 1.25 ×" in missed(results(init=126))
    assert [name.partition(":")[0] for name in missed(results(own_cpu=3.1))] == [
        f"CPU of our own code, warm start, {READ_BACK}"
    ]
    assert missed(results(writes=3)) == [f"{READ_BACK} (start, 10 reads, webhook, follow-up): at most 6 write requests"]


def test_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "built", lambda _: artifacts.folder(EMPTY))
    page = render(results(own_cpu=3.1))
    assert f"| CPU of our own code, warm start, {READ_BACK}: at most 3 ms | 3.1 ms | **no** |" in page
    assert f"| {READ_BACK}: webhook | 1 | 1 | 0 | 4 | 0 | 0 |" in page


@pytest.mark.parametrize("noise", [{"control": 0.94}, {"control": 1.06}, {"empty_again": 94}, {"empty_again": 106}])
def test_a_run_that_misses_its_control_says_so_at_its_top(
    monkeypatch: pytest.MonkeyPatch, noise: dict[str, Any]
) -> None:
    monkeypatch.setattr(peers, "built", lambda _: artifacts.folder(EMPTY))

    def top(measured: Results) -> str:
        return render(measured).splitlines()[2]

    assert top(results()).startswith("Control kept: ")
    assert top(results(**noise)).startswith("**This run misses its control**: ")


def test_the_kept_results_are_of_this_form() -> None:
    kept = (ROOT / "bench" / "RESULTS.md").read_text()
    assert [line for line in kept.splitlines() if line.startswith("## ")] == [
        "## Targets",
        "## Cold starts",
        "## Warm invocations",
        "## Requests",
        "## Size",
    ]
