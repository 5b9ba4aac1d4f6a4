"""A vendor that does not exist: what somebody who adds one writes. `test_copied_tree.py` puts it into a copy."""
