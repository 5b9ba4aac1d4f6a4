"""The document of the API, as everybody may read it."""

from urllib.parse import urljoin

import pytest

from tests.support.client import Api
from tools.render_docs.__main__ import served


def test_the_document_is_that_of_the_repository_but_for_its_server(api: Api) -> None:
    answer = api.send("GET", "/openapi.json", key=None).expect(200)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == served() | {"servers": [{"url": api.base_url}]}


def test_the_page_needs_no_credential(api: Api) -> None:
    answer = api.send("GET", "/docs", key=None).expect(200)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"curl -sS {api.base_url}/verifications" in answer.body


@pytest.mark.parametrize(
    ("method", "path", "key", "code"),
    [
        ("POST", "/verifications", "", "invalid_request"),
        ("GET", "/verifications", None, "not_found"),
        ("GET", "/verifications/vrf_0", None, "unauthorized"),
        ("GET", "/page/none.js", None, "not_found"),
    ],
    ids=["function", "gateway: no route", "gateway: no credential", "page"],
)
def test_the_type_of_a_problem_leads_to_its_place_in_the_docs(
    api: Api, method: str, path: str, key: str | None, code: str
) -> None:
    given = {"fone": "1"} if method == "POST" else None
    problem = api.send(method, path, given, key=key).body
    assert problem["code"] == code
    url, _, anchor = urljoin(api.base_url, problem["type"]).partition("#")
    assert url == f"{api.base_url}/docs"
    assert f'id="{anchor}"' in api.send("GET", "/docs", key=None).expect(200).body


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_what_is_known_is_not_sent_again(api: Api, path: str) -> None:
    tag = api.send("GET", path, key=None).expect(200).headers["ETag"]
    again = api.send("GET", path, key=None, headers={"If-None-Match": tag})
    assert (again.status, again.headers["ETag"]) == (304, tag)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/docs"), ("DELETE", "/openapi.json"), ("GET", "/docs/style.css")]
)
def test_there_is_nothing_else(api: Api, method: str, path: str) -> None:
    api.send(method, path, key=None).expect(404, "not_found")
