"""What the local stack waits for is what the template deploys."""

from local.template import Route, background_functions, routes
from tests.support.template import API, FUNCTIONS, TEMPLATE, TEXT


def test_every_route_of_the_template_is_asked() -> None:
    found = routes(TEMPLATE)
    assert len(found) == TEXT.count("Type: Api\n") > 10
    assert not [route.path for route in found if "{" in route.path or "+" in route.path]
    assert {Route("POST", "/verifications", is_open=False), Route("GET", "/page", is_open=True)} <= {*found}
    assert Route("POST", "/webhooks/none/none", is_open=True) in found


def test_every_function_is_reached_by_a_route_or_takes_batches_or_authorizes_or_is_a_pools() -> None:
    routed = {name for name, function in FUNCTIONS.items() if function.get("Events")}
    background = {*background_functions(TEMPLATE)}
    assert background
    assert not routed & background
    (authorizer,) = FUNCTIONS.keys() - routed - background - {"CognitoTriggersFunction"}
    assert authorizer in str(API["Auth"])
    assert "AuthorizeUpdatesFunction" in background
