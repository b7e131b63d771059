"""The driver tokens of the demonstration, which the sample service knows and the charging sessions use.

Both sides make the same list from the seed, as an operator and its charge points would have it from one database.
"""

from __future__ import annotations

import random
from enum import StrEnum
from itertools import accumulate

KNOWN_TOKENS = 1000
UNKNOWN_TOKENS = 20
_BLOCKED_SHARE = 0.03
_EXPIRED_SHARE = 0.02
_SKEW = 0.8


class TokenStatus(StrEnum):
    """What the service says of a token, in the words of OCPP 1.6 (IdTagInfo); all but UNKNOWN are answered with 200."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    UNKNOWN = "Unknown"


class DriverTokens:
    """`KNOWN_TOKENS` tokens with a status, and some that no service knows; the same for the same `seed`.

    `known` maps each token that the service knows to its status. `unknown` are those that it has never heard of: an
    answer of 404, which is final, so their sessions are dead-lettered.
    """

    def __init__(self, seed: int) -> None:
        source = random.Random(f"driver tokens {seed}")
        uids = [f"04{source.randrange(16**12):012X}" for _ in range(KNOWN_TOKENS + UNKNOWN_TOKENS)]
        self.known = {uid: _status(source.random()) for uid in uids[:KNOWN_TOKENS]}
        self.unknown = tuple(uids[KNOWN_TOKENS:])
        self._names = list(self.known)
        self._cumulative_weights = list(accumulate((rank + 1) ** -_SKEW for rank in range(len(self._names))))

    def draw(self, source: random.Random) -> str:
        """A known token, some far more often than others: the weight of rank r is r^-0.8, so the first gets 6 %."""
        return source.choices(self._names, cum_weights=self._cumulative_weights)[0]


def _status(share: float) -> TokenStatus:
    if share < _BLOCKED_SHARE:
        return TokenStatus.BLOCKED
    return TokenStatus.EXPIRED if share < _BLOCKED_SHARE + _EXPIRED_SHARE else TokenStatus.ACCEPTED
