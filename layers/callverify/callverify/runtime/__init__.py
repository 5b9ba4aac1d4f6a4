"""What a function consists of: its settings, its parts put together, and its start-up."""
