"""Kafka: where records come from (`Source`) and where dead letters go (`Sink`), one file an adapter."""
