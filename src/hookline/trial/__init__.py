"""One request to the service, to see what comes of it: nothing of Kafka is touched by it."""
