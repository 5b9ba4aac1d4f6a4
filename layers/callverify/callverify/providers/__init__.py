"""Vendors: a folder each, with a manifest and a client; and what they share."""
