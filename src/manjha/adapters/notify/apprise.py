"""Notes through Apprise: Telegram, e-mail, Slack, webhooks and some hundred more, each an address."""

import logging
import threading
from typing import Any

import apprise

from manjha.domain.errors import SettingsError
from manjha.domain.notes import Note, NoteLevel

TYPES = {
    NoteLevel.INFO: apprise.NotifyType.INFO,
    NoteLevel.WARNING: apprise.NotifyType.WARNING,
    NoteLevel.ALARM: apprise.NotifyType.FAILURE,
}
PAGE = "https://github.com/caronc/apprise/wiki"


class _Complaints(logging.Handler):
    """What Apprise complains of, by thread: it tells a caller no more than yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._own = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines().append(record.getMessage())

    def taken(self) -> str:
        lines = self._lines()
        words = "; ".join(dict.fromkeys(lines))
        lines.clear()
        return words

    def _lines(self) -> list[str]:
        if not hasattr(self._own, "lines"):
            self._own.lines = []
        found: list[str] = self._own.lines
        return found


_COMPLAINTS = _Complaints()
logging.getLogger("apprise").addHandler(_COMPLAINTS)


class AppriseReceiver:
    """One address. Its name is the service and a number: an address is a secret.

    Raises
    ------
    SettingsError
        Apprise knows no such address.
    """

    def __init__(self, url: str, number: int) -> None:
        asset = apprise.AppriseAsset(app_id="Manjha", app_desc="Manjha", app_url="")
        plugin: Any = apprise.Apprise.instantiate(url, asset=asset)
        _COMPLAINTS.taken()
        if not isinstance(plugin, apprise.NotifyBase):
            scheme = url.partition("://")[0] if "://" in url else ""
            raise SettingsError(
                f"address {number} of notify.urls is none that Apprise knows{f': {scheme}://…' if scheme else ''}",
                hint=f"Each service's form of address is described at {PAGE}.",
            )
        self._plugin = plugin
        self.name = f"{plugin.service_name} {number}"

    def post(self, note: Note) -> str:
        """Deliver one note; return what the receiver answered, empty where it took it."""
        _COMPLAINTS.taken()
        try:
            taken = self._plugin.notify(
                body=note.text, title=note.title, notify_type=TYPES[note.level], body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:  # noqa: BLE001 - a hundred plug-ins, none of which may end the thread
            return f"{type(error).__name__}: {error}"
        return "" if taken else _COMPLAINTS.taken() or "it was not taken, and nothing was said about it"
