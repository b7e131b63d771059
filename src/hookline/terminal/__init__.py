"""A page about a running process in a terminal."""
