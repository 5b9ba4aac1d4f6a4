"""What the service costs: cold and warm time, memory, size and requests, each beside a floor and two peers."""
