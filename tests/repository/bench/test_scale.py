"""docs/scale.md is what `make scale` makes of what was measured."""

import json
from copy import deepcopy

import pytest

from bench import marked, scale
from bench.kinds import KINDS

MEASURED = json.loads(scale.REQUESTS.read_text())
CODED = next(kind for kind, (_, route) in KINDS.items() if route.code and kind in MEASURED["journeys"])


def test_the_tables_are_those_of_the_measured_requests() -> None:
    text = scale.DOCUMENT.read_text()
    assert scale.document(text, MEASURED) == text
    doctored = deepcopy(MEASURED)
    doctored["journeys"][CODED]["start"]["write_units"] += 10
    assert scale.document(text, doctored) != text


def test_polls_cost_a_request_each() -> None:
    ten, thirty = (scale.mixed(MEASURED["journeys"], scale.Client("", reads=reads)) for reads in (10, 30))
    assert thirty["gateway"] - ten["gateway"] == pytest.approx(20)
    # A read asks no vendor.
    assert thirty["vendor_request"] == pytest.approx(ten["vendor_request"])


def test_a_line_of_the_bill_by_hand() -> None:
    used = scale.usage(MEASURED["journeys"], CODED, scale.Client("", reads=10))
    assert used["gateway"] == pytest.approx(1 + 10 + 1)
    assert scale.costs(used, 0)["API Gateway"] == pytest.approx(12 * 3.50)


def test_what_is_pushed_is_paid_by_the_operation_and_the_minute() -> None:
    used = scale.usage(MEASURED["journeys"], CODED, scale.Client("", pushed=2))
    # Connect, subscribe; three transitions and the end published, two of them received; half a minute.
    assert scale.costs(used, 0)["AppSync"] == pytest.approx(2 + 3 + 1 + 2 + 0.04)
    assert scale.costs(scale.usage(MEASURED["journeys"], CODED, scale.POLLING), 0)["AppSync"] == 0


def test_a_document_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="<!-- costs: begin -->"):
        marked.put("nothing", "costs", "part")
