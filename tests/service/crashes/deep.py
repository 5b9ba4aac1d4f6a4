"""How far the random and the crossed histories go. `make test-deep` sets CALLVERIFY_DEEP=1: all of them."""

import os

DEEP = os.environ.get("CALLVERIFY_DEEP") == "1"
# CALLVERIFY_HISTORIES: `make test-deep` sets it, and `tests/deep/mutants.py`, which finds out how many are needed.
HISTORIES = int(os.environ.get("CALLVERIFY_HISTORIES", "300"))
# Starts at vendors that fail in any order: see `test_failures`.
ROUNDS = 10_000 if DEEP else 300
