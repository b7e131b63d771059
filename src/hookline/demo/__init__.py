"""The demonstration: a broker, a sample service, synthetic records, and the real delivery between them."""
