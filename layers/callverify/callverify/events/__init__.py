"""What is told to the outside: events, and logs and metrics for the operator."""
