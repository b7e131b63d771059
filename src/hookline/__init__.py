"""Hookline: Kafka records, delivered to HTTP services."""
