"""Kite's postbacks as they come to the API: judged here, and passed on to the trader that listens for them."""

import http.client
import threading
from collections.abc import Callable

from manjha.adapters.kite.postback import KitePostback
from manjha.app.kite.login import app_keys
from manjha.app.secret_stores import secret_store
from manjha.app.settings import Settings
from manjha.domain.errors import SettingsError

PATIENCE_S = 2.0


def postbacks_of(settings: Settings) -> Callable[[bytes], bool]:
    """Return who takes postbacks of the settings' account; it believes none where the app's secret is not known.

    What is believed goes on to the port of this machine at which the trader listens (`kite.postback_port`), as it came:
    the trader judges it once more. Where no port is set the stream of orders alone tells.
    """
    held: list[KitePostback] = []
    guard = threading.Lock()

    def take(body: bytes) -> bool:
        with guard:
            if not held:
                try:
                    held.append(KitePostback(app_keys(secret_store(settings)).secret, settings.account))
                except SettingsError:
                    return False
            is_ours = held[0].received(body) is not None
        if is_ours and settings.kite.postback_port is not None:
            _pass_on(settings.kite.postback_port, body)
        return is_ours

    return take


def _pass_on(port: int, body: bytes) -> None:
    """Bring a message to the trader. One that does not listen misses a hint, and reads the account by itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/", body)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
