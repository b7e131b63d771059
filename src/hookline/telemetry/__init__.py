"""What may be told, and how: measurements, metrics, log events and masking, in one place."""
