"""Measurements: what the service costs, how fast it is, and whether it stays right under load."""
