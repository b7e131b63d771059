"""The tree of settings: one file a section, and where each value came from."""
