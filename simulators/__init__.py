"""Simulators of the three vendors and of a telephone: one small web app for development and tests."""
