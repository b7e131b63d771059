"""How much a service takes: requests like those of deliveries, at rising concurrency."""
