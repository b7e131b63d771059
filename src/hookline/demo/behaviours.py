"""How the sample service can misbehave on command."""

from __future__ import annotations

from enum import StrEnum


class Behaviour(StrEnum):
    """What the sample service does with requests; a word of its control interface."""

    NORMAL = "normal"
    """It answers at once."""
    SLOW = "slow"
    """It answers after a tenth of a second."""
    REFUSE = "refuse"
    """It answers 503."""
    STALL = "stall"
    """It takes requests and does not answer them, until it behaves otherwise."""
    RESET = "reset"
    """It resets each third connection, and in one of ten of those after it has taken note of the record."""
    DEAD = "dead"
    """It closes its listener and drops all connections."""
