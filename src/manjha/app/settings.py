"""Settings: what a user may choose, from MANJHA_HOME/manjha.toml and from MANJHA_* in the environment."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from manjha.app.setting_sections import (
    FetchSettings,
    JobSettings,
    KiteSettings,
    LogSettings,
    MetricSettings,
    NotifySettings,
    ProtectionSettings,
    RiskSettings,
    SecretSettings,
    StoreSettings,
    StreamSettings,
    TaskSettings,
    TraceSettings,
)
from manjha.domain.errors import SettingsError

FILE = "manjha.toml"
PREFIX = "MANJHA_"
_NEAR = 0.75
"""How like a known name a wrong one must be to be taken for it: all of them begin with MANJHA_."""
_COUNT, _ADDRESS = "a whole number of at least 1", "an address like https://example.com"
_STREAM = "an address like wss://example.com"
_YES_NO = "true or false"
_PATH, _TEXT, _TEXTS = "a path", "a text", "a list of texts"
_LEVELS = ("info", "warning", "alarm", "off")
_ONE_OF = "one of "
_LEVEL = _ONE_OF + ", ".join(_LEVELS)
_WORDS = {
    "logs.to": ("file", "stderr", "off"),
    "logs.level": ("debug", "info", "warning", "error"),
    "secrets.seal": ("environment", "keyring", "vault"),
    "secrets.vault_auth": ("approle", "token"),
}
"""What settings may be that are one of a few words."""
SECRET_VARIABLES = (
    "MANJHA_KITE_API_KEY", "MANJHA_KITE_API_SECRET", "MANJHA_KITE_ACCESS_TOKEN", "MANJHA_SEAL_KEY",
    "MANJHA_IDENTITY_PEPPER", "MANJHA_IDENTITY_AUDIT_KEY", "MANJHA_IDENTITY_SECOND_FACTOR",
    "MANJHA_STREAM_TOKEN", "MANJHA_STREAM_USER", "MANJHA_STREAM_PASSWORD", "MANJHA_STREAM_CREDS",
    "MANJHA_VAULT_TOKEN", "MANJHA_VAULT_ROLE_ID", "MANJHA_VAULT_SECRET_ID", "MANJHA_VAULT_WRAPPED_SECRET_ID",
)  # fmt: skip
_NOT_SETTINGS = frozenset({"MANJHA_HOME", "MANJHA_SHARED", *SECRET_VARIABLES})
_SCHEMES = {_ADDRESS: ("http://", "https://"), _STREAM: ("ws://", "wss://")}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. `home` comes from MANJHA_HOME only; `rules_file`, relative to it, overrides rows of the market.

    `database_url` is where records are kept; None is the file manjha.db in `home`. `journal_url` is the PostgreSQL
    database of the accounts' journals; None is a file for each. `account` is whose orders are sent.
    """

    home: Path = Path()
    rules_file: Path | None = None
    database_url: str | None = None
    journal_url: str | None = None
    account: str = "paper"
    store: StoreSettings = StoreSettings()
    fetch: FetchSettings = FetchSettings()
    kite: KiteSettings = KiteSettings()
    tasks: TaskSettings = TaskSettings()
    risk: RiskSettings = RiskSettings()
    protections: ProtectionSettings = ProtectionSettings()
    notify: NotifySettings = NotifySettings()
    stream: StreamSettings = StreamSettings()
    secrets: SecretSettings = SecretSettings()
    logs: LogSettings = LogSettings()
    metrics: MetricSettings = MetricSettings()
    traces: TraceSettings = TraceSettings()
    jobs: JobSettings = JobSettings()


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. The environment wins over the file: `MANJHA_STORE_CACHE_MB` is `cache_mb` in `[store]`.

    Raises
    ------
    SettingsError
        The file is no TOML, or a name or value is not one that is known.
    """
    variables = os.environ if environment is None else environment
    home = _home(variables)
    chosen = _from_file(home / FILE)
    where: dict[str, str] = {}
    for name, value in sorted(variables.items()):
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS:
            where[_place(chosen, name, value)] = name
    _check_values(chosen, where, home / FILE)
    found = msgspec.convert(chosen, Settings, strict=False, dec_hook=lambda _type, text: home / str(text))
    return msgspec.structs.replace(found, home=home)


def _check_values(chosen: Mapping[str, Any], where: Mapping[str, str], file: Path) -> None:
    """Raise `SettingsError` for a value of the wrong kind, with its place: a variable of `where`, or the file."""
    for key, value in chosen.items():
        for name, one in value.items() if isinstance(value, dict) else [("", value)]:
            setting = f"{key}.{name}" if name else key
            expected = _expected(key, name)
            if not _is_one(one, expected):
                raise SettingsError(
                    f"{setting} must be {expected}, was {one!r}", hint=f"Correct it in {where.get(setting, file)}."
                )


def _expected(key: str, name: str) -> str:  # noqa: PLR0911 - one answer a kind of setting
    field = next(field for field in msgspec.structs.fields(Settings) if field.name == key)
    if not name:
        return _PATH if Path in get_args(field.type) else _TEXT
    inner = next(one for one in msgspec.structs.fields(type(field.default)) if one.name == name)
    if f"{key}.{name}" in _WORDS:
        return _ONE_OF + ", ".join(_WORDS[f"{key}.{name}"])
    if key == "notify" and name != "pace_s":
        return _TEXTS if name == "urls" else _LEVEL
    if inner.type is bool:
        return _YES_NO
    if inner.type is int or int in get_args(inner.type):
        return _COUNT
    if key == "traces":
        return _ADDRESS
    if not inner.default or key in ("stream", "secrets"):
        return _TEXT
    return _STREAM if name == "stream_url" else _ADDRESS


def _is_one(value: object, expected: str) -> bool:
    if expected == _COUNT:
        try:
            return not isinstance(value, float | bool) and int(str(value)) >= 1
        except ValueError:
            return False
    if expected == _YES_NO:
        return isinstance(value, bool) or value in ("true", "false")
    if expected == _TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if expected.startswith(_ONE_OF):
        return value in expected.removeprefix(_ONE_OF).split(", ")
    return isinstance(value, str) and value.startswith(_SCHEMES.get(expected, ""))


def _home(variables: Mapping[str, str]) -> Path:
    chosen = variables.get("MANJHA_HOME", "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("manjha", appauthor=False))


def _from_file(path: Path) -> dict[str, Any]:
    try:
        chosen = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        raise SettingsError(
            f"MANJHA_HOME must be a folder, {path.parent} is a file", hint="Set MANJHA_HOME to a folder."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", hint="Correct it, or move it away.") from None
    for key, value in chosen.items():
        _check(key, _known(), str(path))
        inner = _known(key)
        if isinstance(value, dict) != bool(inner):
            raise SettingsError(
                f"{path}: {key} is {'a section' if inner else 'a value'}", hint=f"Write {_example(key)}."
            )
        for name in value if inner else ():
            _check(f"{key}.{name}", [f"{key}.{known}" for known in inner], str(path))
    return chosen


def _place(chosen: dict[str, Any], variable: str, value: str) -> str:
    """Put the value of an environment variable where the setting of that name belongs, and return that one's name."""
    targets = {PREFIX + key.upper(): ("", key) for key in _known() if not _known(key)}
    for section in _known():
        targets |= {f"{PREFIX}{section}_{name}".upper(): (section, name) for name in _known(section)}
    _check(variable, list(targets), "the environment")
    section, name = targets[variable]
    target = chosen.setdefault(section, {}) if section else chosen
    # In a variable, several stand one after the other with blanks between them.
    target[name] = value.split() if _expected(section or name, name if section else "") == _TEXTS else value
    return f"{section}.{name}" if section else name


def _known(section: str = "") -> list[str]:
    """Return the names of settings at the top, or in a section; none where that is no section."""
    fields = {field.name: field.default for field in msgspec.structs.fields(Settings) if field.name != "home"}
    if not section:
        return list(fields)
    inner = fields.get(section)
    return [field.name for field in msgspec.structs.fields(inner)] if isinstance(inner, msgspec.Struct) else []


def _check(name: str, known: list[str], where: str) -> None:
    if name in known:
        return
    close = difflib.get_close_matches(name, known, 1, _NEAR)
    hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."
    raise SettingsError(f"unknown setting {name!r} in {where}", hint=hint)


def _example(key: str) -> str:
    inner = _known(key)
    return f"[{key}] and below it {inner[0]} = ..." if inner else f"{key} = ..."
