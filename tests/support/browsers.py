"""The Chromium of the tests."""

import shutil

# The first is the same engine without a window's parts: a test's page costs a third there.
CHROMIA = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, CHROMIA)), None)
# It runs as root in a container, and should reach for nothing by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
