"""Simulators of the vendors and of a telephone: one small web app for development and tests. Each is in vendors/."""
