"""The engine: which record may be sent now, and what may be committed.

Pure: no I/O, no clock, no randomness of its own.
"""
