"""What `GET /` answers: every call and every fault mode, read from the routes and from the modes themselves."""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from werkzeug.routing import Map, Rule

from callverify.providers.names import NAMES
from simulators.faults import Faults, Mode

NOT_OURS = {"HEAD", "OPTIONS"}  # the framework adds them to every route


def describe(routes: Map, views: Mapping[str, Callable[..., Any]], modes: Mapping[str, Mode], faults: Faults) -> str:
    """JSON of one call or mode per line, so that a `body` can be copied as it stands."""
    rules = sorted(routes.iter_rules(), key=str)
    # A vendor is found under a second spelling too, with dashes: listed once.
    owned = [(rule, _owner(rule)) for rule in rules]
    ours = [rule for rule, owner in owned if owner.replace("-", "_") not in NAMES]
    vendors: list[dict[str, object]] = [
        {"call": call} for rule, owner in owned if owner in NAMES for call in _calls(rule)
    ]
    sections: dict[str, list[dict[str, object]]] = {
        "calls": [{"call": call, **_documented(views[rule.endpoint])} for rule in ours for call in _calls(rule)],
        "fault_modes": list(_modes(modes)),
        "faults": faults.describe(),
        "vendors": vendors,
    }
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(items)}" for name, items in sections.items()) + "\n}\n"


def _modes(modes: Mapping[str, Mode]) -> Iterator[dict[str, object]]:
    """Each mode with a body of `POST /faults`; `on`, where there is one, is every aim that the body may name."""
    for name, mode in modes.items():
        aims = {"on": mode.aims} if mode.aims else {}
        body = {"provider": mode.providers[0], "mode": name, "times": 1}
        yield {"mode": name, "does": mode.does, "providers": mode.providers, **aims, "body": body}


def _owner(rule: Rule) -> str:
    """The vendor of a route, as its path writes it; of a call that steers the simulators, anything else."""
    return str(rule.endpoint).partition(".")[0]


def _calls(rule: Rule) -> list[str]:
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    return [f"{method} {path}" for method in sorted((rule.methods or set()) - NOT_OURS)]


def _documented(view: Callable[..., Any]) -> dict[str, object]:
    """A view's docstring: what the call does and, after an empty line, a body as JSON."""
    does, _, body = (inspect.getdoc(view) or "").partition("\n\n")
    body = body.replace("<provider>", NAMES[0])
    if not does:
        raise ValueError(f"{view.__name__} does not say what it does")
    return {"does": does, **({"body": json.loads(body)} if body else {})}


def _lines(items: Iterable[Mapping[str, object]]) -> str:
    return "[\n  " + ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in items) + "\n]"
