"""The use cases: what a start, a read, a check, a repeat, a switch, a cancel and a report do to a verification."""
