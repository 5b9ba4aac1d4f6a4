"""Between AWS and the service: the gateway, who is asking, the queues and the stream."""
