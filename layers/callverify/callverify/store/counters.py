"""Limits, cooldowns, guesses and failures: what is counted, as writes of the change that they belong to."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from callverify.domain.claims import Claim, Counted, GiveBack
from callverify.domain.limits import Cooldown, GuessLimit, Limit, RollingLimit, SealedLimit
from callverify.domain.words import DAY, TEN_MINUTES
from callverify.store import table
from callverify.store.items import Item
from callverify.store.table import NOTHING, Blocked, Forms, LimitReached, Lost, Outdated, Stale, Table, Write

FAILURES_IN_A_ROW = 5
REST_SECONDS = 30  # decision 16


_COOLS = "phone_10m"  # the limit whose item has the phone's cooldown too, and whether it is blocked
UNBLOCKED = "attribute_not_exists(blocked)"
_COOLED = (
    "(attribute_not_exists(#until) OR #until <= :now)",
    # Of a start that 0.2.0 counted: its cooldown stands elsewhere.
    "(attribute_exists(#until) OR attribute_not_exists(starts) OR starts[0] <= :cooled)",
)


def phone_key(phone_hash: str) -> str:
    """The item that every start, switch and repeat of a phone writes."""
    return f"limit#{_COOLS}#{phone_hash}"


# A limit's own write in a transaction, or what it is replaced by: see `table.adapt`.


def key_of(limit: RollingLimit | SealedLimit) -> str:
    return f"limit#{limit.name}#{limit.subject}"


def count(claims: Sequence[Limit | Counted | GiveBack], now: int, forms: Forms) -> Iterator[Write]:
    """Count one more against each limit, and give back. Loses to LimitReached."""
    back = {
        key_of(each.limit): (each.limit, each.at)
        for each in claims
        if isinstance(each, GiveBack) and isinstance(each.limit, SealedLimit)
    }
    cooldown = next((each for each in claims if isinstance(each, Cooldown)), None)
    for claim in claims:
        match claim:
            case RollingLimit(name=name) if name == _COOLS:
                key = key_of(claim)
                yield forms.get(key) or _count_rolling(key, claim, now, refuses=True, cooldown=cooldown)
            case (RollingLimit() as rolling) | Counted(limit=RollingLimit() as rolling):
                key = key_of(rolling)
                yield forms.get(key) or _count_rolling(key, rolling, now, refuses=rolling is claim)
            case SealedLimit():
                key = key_of(claim)
                moved = back.pop(key, None)
                yield forms.get(key) or _count_sealed(key, claim, now, moved[1] if moved else None)
            case GuessLimit():
                yield _check_guesses(claim, now)
    for key, (limit, at) in back.items():
        yield forms.get(key) or _give_sealed_back(key, limit, at, now)


def known_forms(claims: Sequence[Claim], now: int, read: Callable[[str], Item | None]) -> Forms:
    """The forms of what can only be written once it is read: a transaction that finds that out costs its units too."""
    sealed = [
        claim
        for claim in claims
        if isinstance(claim, SealedLimit) or (isinstance(claim, GiveBack) and isinstance(claim.limit, SealedLimit))
    ]
    found = ((write, read(write.key)) for write in count(sealed, now, {}))
    lost = (write.lost(item) for write, item in found if item)
    return {each.key: each.form for each in lost if isinstance(each, Outdated) and each.form}


def reached_by(limit: RollingLimit | SealedLimit, times: Sequence[int], now: int) -> LimitReached | None:
    """What refuses one more beside those at `times`, newest first."""
    if len(times) < limit.count or times[limit.count - 1] <= now - limit.window:
        return None
    return LimitReached(limit, times[limit.count - 1] + limit.window - now)


def _count_rolling(
    key: str, limit: RollingLimit, now: int, *, refuses: bool, cooldown: Cooldown | None = None
) -> Write:
    """cooldown: of the same phone, which stands in the same item."""
    oldest = f"starts[{limit.count - 1}]"
    until = now + cooldown.seconds + cooldown.reply_within if cooldown else 0
    ttl = max(now + limit.window, until)
    # The last clause makes the write fail once the list has grown long, so that it is cut: see `lost`.
    conditions = ["(attribute_not_exists(starts) OR size(starts) < :longest)"]
    if refuses:
        conditions.insert(0, f"(attribute_not_exists({oldest}) OR {oldest} <= :before)")
    if cooldown:
        conditions = [*_COOLED, *conditions]
    if limit.name == _COOLS:
        conditions = [UNBLOCKED, *conditions]

    def lost(item: Item) -> Lost:
        if "blocked" in item:
            return Blocked()
        starts = [int(start) for start in item.get("starts", ())]
        if cooldown and (wait := _cools(cooldown, item, starts, now)) > 0:
            return LimitReached(cooldown, wait)
        if refuses and (reached := reached_by(limit, starts, now)):
            return reached
        return Outdated(key, _restart_rolling(key, limit, now, starts, until, ttl))

    return table.update(
        key,
        "SET starts = list_append(:now_list, if_not_exists(starts, :none)), #ttl = :ttl"
        + (", #until = :until" if cooldown else ""),
        " AND ".join(conditions),
        {
            ":now_list": [now],
            ":none": [],
            ":ttl": ttl,
            ":before": now - limit.window,
            ":longest": 2 * limit.count + 10,
            ":now": now,
            ":until": until,
            ":cooled": now - cooldown.seconds if cooldown else 0,
        },
        lost,
    )


def _cools(cooldown: Cooldown, item: Item, starts: Sequence[int], now: int) -> int:
    """Seconds until the phone may start again."""
    newest = starts[0] + cooldown.seconds if starts else 0
    return int(item.get("until", newest)) - now


def _restart_rolling(key: str, limit: RollingLimit, now: int, starts: list[int], until: int, ttl: int) -> Write:
    kept = [start for start in starts[: limit.count] if start > now - limit.window]
    return table.change(
        key,
        {"starts": [now, *kept], "ttl": ttl} | ({"until": until} if until else {}),
        f"size(starts) = :size AND starts[0] = :newest AND {UNBLOCKED}",
        {":size": len(starts), ":newest": starts[0] if starts else 0},
        lambda _: Outdated(key),
    )


def _count_sealed(key: str, limit: SealedLimit, now: int, moved: int | None) -> Write:
    """Count a start; in place of the one at `moved`, which was no call."""

    def next_form(item: Item) -> Lost:
        starts, returned = _unsealed(limit, item)
        if moved in starts:
            starts.remove(moved)
        if reached := reached_by(limit, starts, now):
            return reached
        return Outdated(key, _put_sealed(key, limit, [now, *starts], returned, now, item, next_form))

    return _put_sealed(key, limit, [now], [], now, None, next_form)


def _give_sealed_back(key: str, limit: SealedLimit, at: int, now: int) -> Write:
    def next_form(item: Item) -> Lost:
        starts, returned = _unsealed(limit, item)
        if at not in starts or reached_by(limit, returned, now):
            return Outdated(key, NOTHING)
        starts.remove(at)
        return Outdated(key, _put_sealed(key, limit, starts, [now, *returned], now, item, next_form))

    # What it holds is only known once it is read: by a condition that fails where there is an item.
    return table.check(key, "attribute_not_exists(pk)", {}, next_form)


def _put_sealed(
    key: str,
    limit: SealedLimit,
    starts: Sequence[int],
    returned: Sequence[int],
    now: int,
    seen: Item | None,
    lost: Callable[[Item], Lost],
) -> Write:
    """Write the item, if it is still as it was seen. Neither its size nor its `ttl` says how many, or when."""
    times = [[*each[: limit.count], *[0] * (limit.count - len(each))] for each in (starts, returned)]
    sealed = limit.seal(struct.pack(f">{2 * limit.count}I", *times[0], *times[1]))
    item = {"sealed": sealed, "ttl": -(-(now + limit.window) // DAY) * DAY}
    condition = "sealed = :seen" if seen else "attribute_not_exists(pk)"
    return table.put(key, item, lost, condition=condition, values={":seen": seen["sealed"]} if seen else {})


def _unsealed(limit: SealedLimit, item: Item) -> tuple[list[int], list[int]]:
    """The times of the last starts, and of what was given back, newest first."""
    content = limit.unseal(item["sealed"])
    times = struct.unpack(f">{len(content) // 4}I", content)
    starts, returned = times[: len(times) // 2], times[len(times) // 2 :]
    return [time for time in starts if time], [time for time in returned if time]


def cool_down(phone_hash: str, seconds: int, now: int) -> Write:
    until = now + seconds
    values = {":until": until, ":ttl": max(now + TEN_MINUTES, until)}
    # A blocked phone needs none, and its item has no end.
    return table.update(phone_key(phone_hash), "SET #until = :until, #ttl = :ttl", UNBLOCKED, values, lambda _: Stale())


# Guesses of a phone: `n` of them, counted until `ends`, 24 h after the last wrong one


def _guesses(phone_hash: str, counter: str) -> str:
    return f"{counter}#{phone_hash}"


def _check_guesses(limit: GuessLimit, now: int) -> Write:
    return table.check(
        _guesses(limit.phone_hash, limit.counter),
        "attribute_not_exists(pk) OR ends <= :now OR n < :count",
        {":now": now, ":count": limit.count},
        lambda item: LimitReached(limit, int(item["ends"]) - now),
    )


def spend_guess(limit: GuessLimit, guess_id: str, now: int, forms: Forms) -> Write:
    """Count one guess before it is compared. Loses to LimitReached."""
    key, ends = _guesses(limit.phone_hash, limit.counter), now + DAY

    def lost(item: Item) -> Lost:
        if item["ends"] > now:
            return LimitReached(limit, int(item["ends"]) - now)
        restart = table.change(
            key,
            {"n": 1, "ends": ends, "ends_before": 0, "last_guess": guess_id, "ttl": ends},
            "ends = :ends_seen",
            {":ends_seen": item["ends"]},
            lambda _: Outdated(key),
        )
        return Outdated(key, restart)

    return forms.get(key) or table.update(
        key,
        "SET n = if_not_exists(n, :zero) + :one, ends_before = if_not_exists(ends, :zero),"
        " ends = :ends, last_guess = :guess, #ttl = :ends",
        "attribute_not_exists(pk) OR (ends > :now AND n < :limit)",
        {":zero": 0, ":one": 1, ":ends": ends, ":guess": guess_id, ":now": now, ":limit": limit.count},
        lost,
    )


def return_guess(phone_hash: str, guess_id: str, counter: str, forms: Forms) -> Write:
    """Give a right guess back: when it is the phone's latest its time goes too, else only itself."""
    key = _guesses(phone_hash, counter)
    other = table.update(key, "SET n = n - :one", "n >= :one", {":one": 1}, lambda _: Outdated(key, NOTHING))
    return forms.get(key) or table.update(
        key,
        "SET n = n - :one, ends = ends_before REMOVE last_guess",
        "last_guess = :guess",
        {":one": 1, ":guess": guess_id},
        lambda _: Outdated(key, other),
    )


# Providers that fail


class Breakers:
    """Failures in a row, by provider."""

    def __init__(self, rows: Table) -> None:
        self._table = rows

    def rests_until(self, provider: str) -> int:
        """When it ends that this provider is asked last; 0 for one that has not failed often enough."""
        item = self._table.read(f"breaker#{provider}")
        return int(item["rests_until"]) if item and item["n"] >= FAILURES_IN_A_ROW else 0

    def count_failure(self, provider: str, now: int) -> int:
        """Count one more, and say which it is; the provider rests REST_SECONDS from the latest."""
        values = {":one": 1, ":until": now + REST_SECONDS, ":long_ago": now - 10 * REST_SECONDS, ":ttl": now + DAY}
        for n, condition in (("n + :one", "rests_until > :long_ago"), (":one", "NOT rests_until > :long_ago")):
            expression = f"SET n = {n}, rests_until = :until, #ttl = :ttl"
            try:
                return int(
                    self._table.update(table.update(f"breaker#{provider}", expression, condition, values, Lost))["n"]
                )
            except Lost:
                continue
        return 1

    def forget_failures(self, provider: str) -> None:
        self._table.delete(f"breaker#{provider}")
