"""`listen`: events to a local URL, as the stack would send them to EventWebhookUrl."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click
import requests

from cli.api import Api, is_url
from cli.errors import on_ctrl_c
from cli.output import clock, print_json
from cli.target import LIVE, TEST, Target, as_json, on_stack

PAGE = 100
FORWARD_SECONDS = 10


class Forwarder:
    """Posts events to `url`, signed after the Standard Webhooks spec with a secret of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

    def forward(self, event: Mapping[str, Any]) -> str:
        """The status of the answer, or in words why there is none."""
        from standardwebhooks.webhooks import Webhook

        body, now = json.dumps(event), datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(event["id"], now, body),
        }
        try:
            answer = requests.post(
                self._url, data=body, headers=headers, timeout=FORWARD_SECONDS, allow_redirects=False
            )
        except (requests.RequestException, ValueError) as error:
            return f"no answer: {type(error).__name__}"
        return str(answer.status_code)


def events(api: Api, after: str | None, every: float, *, skip_kept: bool) -> Iterator[Mapping[str, Any]]:
    """Events from the cursor `after` on, without end, asking every `every` seconds.

    skip_kept: leave out those that are there already.
    """
    skipping = skip_kept
    while True:
        page = api.call("GET", "/events", has="events", limit=str(PAGE), after=after)
        after = page["next"] or after
        if not skipping:
            yield from page["events"]
        if not page["has_more"]:
            skipping = False
            time.sleep(every)


@click.command()
@click.option("--forward-to", "url", metavar="URL", help="Post each event to this URL. Default: only show them.")
@click.option(
    "--after", metavar="CURSOR", help="Begin after this cursor (a `next` of GET /events). Default: begin now."
)
@click.option("--from-start", is_flag=True, help="Begin with the oldest event kept.")
@click.option("--test", is_flag=True, help="Show the events of test mode.")
@click.option("--every", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, help="Seconds between reads.")
@click.option("--count", type=click.IntRange(1), help="Stop after this many events.")
@as_json
@on_stack
def listen(
    target: Target,
    url: str | None,
    after: str | None,
    from_start: bool,
    test: bool,
    every: float,
    count: int | None,
    as_json: bool,
) -> None:
    """Show events as they happen, and forward them to a URL.

    What is forwarded is signed with a secret made for this run, which is printed; the stack's own secrets are not
    read. An event is posted once, whatever the answer.

    \b
    Example:
      callverify listen --forward-to http://127.0.0.1:8000/events
    """
    if every != every:  # NaN lies in every range
        raise click.UsageError("--every takes a number of seconds.")
    if url and not is_url(url):
        raise click.UsageError("--forward-to takes a URL, such as http://127.0.0.1:8000/events.")
    api = target.api(TEST if test else LIVE)
    forwarder = Forwarder(url) if url else None
    if forwarder:
        click.echo(f"Signing secret of this run: {forwarder.secret}", err=True)
    click.echo(f"Listening at {target.base_url}; Ctrl-C ends it.", err=True)
    on_ctrl_c("stopped listening; GET /events still lists the events, as long as they are kept")
    heard = events(api, after, every, skip_kept=not (after or from_start))
    for event in itertools.islice(heard, count):
        answer = forwarder.forward(event) if forwarder else None
        if as_json:
            print_json({"event": event, "forwarded": answer})
        else:
            line = [clock(event["created_at"]), event["type"], event["id"], event["data"]["id"]]
            click.echo("  ".join([*line, *([f"→ {answer}"] if answer else [])]))
