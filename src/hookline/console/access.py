"""Who may see and do what: tokens with roles, sessions of browsers, and requests that come from a foreign page."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

from pydantic import SecretStr

from hookline.settings.operation import Console

COOKIE = "hookline_session"
SESSION_SECONDS = 12 * 3600.0
_MOST_SESSIONS = 1000
_ATTEMPTS_PER_MINUTE = 30
_MINUTE_SECONDS = 60.0
_TOKEN_BYTES_MAX = 4096


class Role(IntEnum):
    """What somebody may do; each role may do what the lower ones may."""

    NOBODY = 0
    VIEW = 1
    OPERATE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role's name in small letters."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who asks: what they may do, and how they are named in the audit."""

    role: Role
    name: str


@dataclass(frozen=True, slots=True)
class _Session:
    role: Role
    ends_at: float


class Access:
    """Decides by the tokens of the settings. Without any token, everybody may look and nobody may change anything.

    `now` is seconds of a monotonic clock throughout.
    """

    def __init__(self, console: Console) -> None:
        given = ((Role.ADMIN, console.token), (Role.OPERATE, console.operate_token), (Role.VIEW, console.view_token))
        self._tokens = [(role, _bytes(token)) for role, token in given if token is not None]
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._refused_at: deque[float] = deque(maxlen=_ATTEMPTS_PER_MINUTE)

    @property
    def has_tokens(self) -> bool:
        """Whether anybody can be told apart from others."""
        return bool(self._tokens)

    def identify(self, headers: Mapping[str, str], cookie: str | None, now: float) -> Identity:
        """Who sends a request with these headers and this session cookie."""
        if not self._tokens:
            return Identity(Role.VIEW, "anybody")
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            role = self._role_of(token.strip(), now)
            return Identity(role, f"{role.word} token")
        session = self._sessions.get(cookie or "")
        if session is not None and session.ends_at > now:
            return Identity(session.role, f"{session.role.word} session {(cookie or '')[:6]}")
        return Identity(Role.NOBODY, "anybody")

    def log_in(self, token: str, now: float) -> tuple[Role, str] | None:
        """A new session for whoever knows a token: its role and the cookie's value; None for what is no token."""
        role = self._role_of(token, now)
        if role is Role.NOBODY:
            return None
        name = secrets.token_urlsafe(32)
        self._sessions[name] = _Session(role, now + SESSION_SECONDS)
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return role, name

    def log_out(self, cookie: str | None) -> None:
        """End a session."""
        self._sessions.pop(cookie or "", None)

    def is_guessed_at(self, now: float) -> bool:
        """Whether many wrong tokens were given within a minute. A right one works all the same: it cannot be guessed,
        and nobody should be able to lock others out."""
        refused = self._refused_at
        return len(refused) == _ATTEMPTS_PER_MINUTE and now - refused[0] < _MINUTE_SECONDS

    def _role_of(self, token: str, now: float) -> Role:
        given = token.encode(errors="replace")[:_TOKEN_BYTES_MAX]
        found = Role.NOBODY
        for role, known in self._tokens:
            # All are compared, so that time tells nothing of which is near.
            if hmac.compare_digest(given, known):
                found = max(found, role)
        if found is Role.NOBODY:
            self._refused_at.append(now)
        return found


def gives_token(headers: Mapping[str, str]) -> bool:
    """Whether a request has a token with it, right or wrong."""
    return headers.get("Authorization", "").lower().startswith("bearer ")


def comes_from_our_page(headers: Mapping[str, str]) -> bool:
    """Whether a request that changes something may be acted upon, as far as its origin goes.

    A browser says where a request comes from, and a page cannot make it lie: `Sec-Fetch-Site`, or `Origin`, which must
    then name our own host. Who carries a bearer token is no browser that was tricked, since no page can make one send
    it (https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html).
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("Origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == headers.get("Host", "").lower()
    return site is not None or gives_token(headers)


def _bytes(token: SecretStr) -> bytes:
    return token.get_secret_value().encode()
