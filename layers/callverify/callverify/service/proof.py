"""A verification as a proof: of one phone, for the caller that started it, for ten minutes, and used once."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from callverify.domain.value import value
from callverify.domain.verification import PROOF_SECONDS
from callverify.domain.words import Caller, Scope, Status
from callverify.service.context import Context


@value
class Claimed:
    """What a verification is to prove: this phone (E.164), and that it was started for this reference and metadata."""

    phone: str
    reference: str
    metadata: Mapping[str, str]


def use(ctx: Context, caller: Caller, verification_id: str, claimed: Claimed, by: str) -> bool:
    """Whether it proves what is claimed, and nobody but `by` has used it before. One consistent read, one write.

    by: the user of the proof, the same at each retry, so that a lost answer costs no proof. Raises NotFound.
    """
    found = ctx.visible(caller, verification_id, Scope.READ, client_token=False)
    now = ctx.now()
    return (
        found.status is Status.VERIFIED
        and found.verified_at is not None
        and now - found.verified_at <= PROOF_SECONDS
        and found.key_id == caller.key_id
        and hmac.compare_digest(found.phone_hash, ctx.keys.hash_phone(claimed.phone))
        and found.reference == claimed.reference
        and dict(found.metadata) == dict(claimed.metadata)
        and ctx.store.use(found, by, now)
    )
