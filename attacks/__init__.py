"""Attacks on the service, run against its real code and a real store. `python -m attacks` runs all of them."""
