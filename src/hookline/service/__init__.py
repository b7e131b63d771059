"""The asyncio shell: one engine between the ports, from start to drain."""
