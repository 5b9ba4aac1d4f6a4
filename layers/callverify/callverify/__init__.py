"""callverify: proof that somebody holds a phone number, by a phone call."""
