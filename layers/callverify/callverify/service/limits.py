"""What starts, repeats and checks are counted against, by the operator's policy."""

from __future__ import annotations

from callverify.domain.addresses import network_of
from callverify.domain.claims import Claim, Counted, GiveBack, Unless
from callverify.domain.keys import Keys
from callverify.domain.limits import CalendarLimit, Cooldown, GuessLimit, RollingLimit, SealedLimit
from callverify.domain.verification import Verification
from callverify.domain.words import DAY, HOUR, TEN_MINUTES, Caller, Phone
from callverify.providers.base import THEIR_CODE_CHECKS, Line
from callverify.service.policy import Policy

THEIR_GUESSES = "vendor_guesses"  # of codes that a vendor picked


class Limits:
    def __init__(self, policy: Policy, keys: Keys) -> None:
        self._policy = policy
        self._keys = keys

    def search(self, caller: Caller) -> CalendarLimit:
        return CalendarLimit("key_search_day", caller.key_id, self._policy.key_search_day, DAY)

    def erasure(self, caller: Caller) -> CalendarLimit:
        return CalendarLimit("key_erasure_day", caller.key_id, self._policy.key_erasure_day, DAY)

    def asked_by(self, caller: Caller, record: Verification, line: Line, phone: Phone | None) -> list[Claim]:
        """A browser is counted by its own address, and not by the one that the start named."""
        address = record.address_hash if caller.is_key else None
        return [*self.browser(caller), *self.of(record, line, phone, address)]

    def of(self, record: Verification, line: Line, phone: Phone | None, address: str | None) -> list[Claim]:
        """What one more start or repeat is counted against. phone: None for a vendor's repeat, which names none."""
        policy = self._policy
        limits: list[Claim] = [
            Cooldown(record.phone_hash, policy.phone_cooldown),
            RollingLimit("phone_10m", record.phone_hash, policy.phone_10m, TEN_MINUTES),
        ]
        if address:
            limits.append(RollingLimit("ip_10m", address, policy.ip_10m, TEN_MINUTES))
            limits.append(Unless(self._refused_limit(address)))
        if address and record.address_block_hash:
            limits.append(RollingLimit("ip_block_10m", record.address_block_hash, policy.ip_block_10m, TEN_MINUTES))
        return [*limits, *self.of_line(record, line, phone)]

    def of_line(self, record: Verification, line: Line, phone: Phone | None) -> list[Claim]:
        """What one more call of this line is counted against, besides what every start is."""
        policy = self._policy
        if not line.route.paid:
            return [CalendarLimit("key_free_hour", record.key_id, policy.key_free_hour, HOUR)]
        return [
            RollingLimit("phone_day", record.phone_hash, policy.phone_day, DAY, paid_only=True),
            *self._paid_limits(record, phone),
            Unless(self._key_refused_limit(record)),
            GuessLimit(record.phone_hash, policy.phone_guesses),
            *self._their_guesses(record, line),
        ]

    def _their_guesses(self, record: Verification, line: Line) -> list[Claim]:
        checks = line.route.code.checks if line.route.code else None
        return [GuessLimit(record.phone_hash, checks, THEIR_GUESSES)] if checks else []

    def checks(self, line: Line) -> int:
        """How many codes of an attempt may be wrong before the verification fails."""
        most = self._policy.verification_guesses
        own = line.route.code.checks if line.route.code else None
        return min(most, own) if own else most

    def guesses(self, record: Verification) -> list[tuple[str, int]]:
        """What a guess is counted by: names and limits of the phone's counts."""
        counted = [("guesses", self._policy.phone_guesses)]
        return [*counted, (THEIR_GUESSES, THEIR_CODE_CHECKS)] if record.code_hash else counted

    def _paid_limits(self, record: Verification, phone: Phone | None) -> list[SealedLimit | CalendarLimit]:
        """What a paid call is counted by, and given back to where it was certainly not made."""
        policy, keys = self._policy, self._keys
        limits: list[SealedLimit | CalendarLimit] = [
            CalendarLimit("key_paid_day", record.key_id, policy.paid_day(record.key_id), DAY, paid_only=True),
            CalendarLimit("stack_paid_hour", "stack", policy.stack_paid_hour, HOUR, paid_only=True),
        ]
        if phone is None:
            return limits
        if phone.region != policy.default_country:
            limits.append(
                CalendarLimit("country_paid_hour", phone.region, policy.country_paid_hour, HOUR, paid_only=True)
            )
        block = keys.hash_block(phone.e164)
        return [SealedLimit("prefix_10m", block, policy.prefix_10m, TEN_MINUTES, keys.seal, keys.unseal), *limits]

    def given_back(self, record: Verification, phone: Phone | None, at: int) -> list[Claim]:
        """What a paid call gives back that was counted at `at` and certainly not made."""
        return [GiveBack(limit, at) for limit in self._paid_limits(record, phone)]

    def refused(self, record: Verification) -> list[Claim]:
        """What a start counts against that a provider refused as a number."""
        counted: list[Claim] = [Counted(self._key_refused_limit(record))]
        if record.address_hash:
            counted.append(Counted(self._refused_limit(record.address_hash)))
        return counted

    def _refused_limit(self, address: str) -> RollingLimit:
        return RollingLimit("ip_refused_10m", address, self._policy.ip_refused_10m, TEN_MINUTES)

    def _key_refused_limit(self, record: Verification) -> CalendarLimit:
        return CalendarLimit("key_refused_hour", record.key_id, self._policy.key_refused_hour, HOUR, paid_only=True)

    def browser(self, caller: Caller) -> list[RollingLimit]:
        """What a browser's wrong codes, repeats and switches count against: its address at the gateway.

        Apart from the starts that its server makes for it.
        """
        if caller.is_key:
            return []
        try:
            address = self._keys.hash_address(f"browser {network_of(caller.address or '')}")
        except ValueError:
            return []
        return [RollingLimit("browser_10m", address, self._policy.browser_10m, TEN_MINUTES)]
