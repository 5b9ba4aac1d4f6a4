from __future__ import annotations

from collections.abc import Iterator

from callverify.domain import errors


def all_errors(kind: type[errors.CallverifyError] = errors.CallverifyError) -> Iterator[type[errors.CallverifyError]]:
    for error in kind.__subclasses__():
        yield error
        yield from all_errors(error)


def test_only_an_outage_is_a_5xx() -> None:
    """What a caller's own data leads to must neither look like an outage nor feed the alarm on 5xx."""
    outages = {error.code for error in all_errors() if error.status >= 500}
    assert outages <= {"provider_unavailable", "no_provider_available", "busy", "internal_error"}
