"""Spans of deliveries for OpenTelemetry, which is an extra."""
