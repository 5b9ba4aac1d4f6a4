"""Whose page it is: a start names one of the brands that the operator configured."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.service.test_bad_inputs import assert_refused
from tests.support.gateway import Api

ACME = {"name": "Acme", "color": "#0a7d45"}
TWO = [{"Brands": json.dumps({"acme": ACME, "beta": {"name": "Beta"}})}]


@pytest.mark.parametrize("api", TWO, indirect=True)
def test_a_brand_is_told_to_the_page_and_to_every_reader(api: Api) -> None:
    started = api.start(method="flash_call", brand="acme")
    assert started["brand"] == "acme"
    assert parse_qs(urlsplit(started["page_url"]).fragment)["brand"] == ["acme"]
    assert api.status(started.id)["brand"] == "acme"
    assert api.status(started.id, credential=started["client_token"])["brand"] == "acme"


@pytest.mark.parametrize("api", TWO, indirect=True)
def test_without_a_brand_nothing_is_told(api: Api) -> None:
    started = api.start(method="flash_call")
    assert "brand" not in started.body
    assert "brand" not in parse_qs(urlsplit(started["page_url"]).fragment)


@pytest.mark.parametrize("api", TWO, indirect=True)
@pytest.mark.parametrize("brand", ["gamma", "", "Acme", ["acme"], {"acme": 1}, 7, True])
def test_an_unknown_brand_is_refused_and_the_known_ones_are_named(api: Api, brand: object) -> None:
    assert_refused(api, api.start(brand=brand), 400, "invalid_request", "`brand`", "acme, beta")


def test_where_none_is_configured_the_error_says_so(api: Api) -> None:
    assert_refused(api, api.start(brand="acme"), 400, "invalid_request", "`brand`", "none is configured")


@pytest.mark.parametrize(
    ("api", "setting"),
    [({"Brands": json.dumps({"acme": ACME, "bad": {"color": "#0a7d45"}})}, "Brands.bad"), ({"Brands": "{"}, "Brands")],
    indirect=["api"],
)
def test_a_mistake_is_a_fault_of_configuration_and_stops_nothing_else(api: Api, setting: str) -> None:
    assert api.start(**{"brand": "acme"} if setting != "Brands" else {}).status == 201
    assert f'"setting":"{setting}"' in api.logged()
    assert api.metrics()["ConfigurationFaults"] == 1
