"""The second factor: codes of time (RFC 6238, TOTP) over HMAC-SHA1 (RFC 4226), six digits, a new one each 30 s."""

import base64
import hmac
import secrets
from urllib.parse import quote

from manjha.domain.moments import SECOND_NS

STEP_NS = 30 * SECOND_NS
_DIGITS = 6
_SECRET_BYTES = 20
"""As many as SHA-1 has (RFC 4226, section 4, R6)."""
_SKEW = (0, -1, 1)
"""Steps that a phone's clock may be off (RFC 6238, section 5.2)."""


def new_factor() -> str:
    """Return a new secret, in the base 32 that authenticator apps take."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def code_at(secret: str, step: int, digits: int = _DIGITS) -> str:
    """Return the code of a step of time: dynamic truncation of the HMAC of its number (RFC 4226, section 5.3)."""
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 0xF
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(secret: str, code: str, now_ns: int) -> int | None:
    """Return the step of time whose code this is; None where it is none of about now. Takes the same time for all."""
    now, found = now_ns // STEP_NS, None
    for skew in _SKEW:
        if hmac.compare_digest(code_at(secret, now + skew).encode(), code.encode()) and found is None:
            found = now + skew
    return found


def address_of(secret: str, person: str) -> str:
    """Return the address by which an authenticator app takes the secret, as text or as a picture."""
    return f"otpauth://totp/{quote(f'Manjha:{person}')}?secret={secret}&issuer=Manjha&digits={_DIGITS}&period=30"
