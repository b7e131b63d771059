"""What can be asked of a running process over HTTP: its health and its metrics."""
