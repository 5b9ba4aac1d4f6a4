"""What a verification is and what can happen to it. Pure: no AWS, no vendor, no clock of its own."""
