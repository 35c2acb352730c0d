"""The sections of manjha.toml, each with its settings and their defaults."""

import msgspec


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cache_mb` bounds the mapped columns beside the bar store."""

    cache_mb: int = 4096


class FetchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`per_minute` and `burst` bound requests to a data source; the addresses are where the sources are asked."""

    per_minute: int = 60
    burst: int = 3
    nse_url: str = "https://nsearchives.nseindia.com"
    nse_home_url: str = "https://www.nseindia.com"
    bse_url: str = "https://www.bseindia.com"
    yahoo_url: str = "https://query1.finance.yahoo.com"
    kite_url: str = "https://api.kite.trade"


class KiteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Kite is: its API, its stream, its login page, and the port of this machine that a login comes back to.

    `postback_port` is where a web server of the user's passes Kite's postbacks on to; None listens for none.
    """

    url: str = "https://api.kite.trade"
    stream_url: str = "wss://ws.kite.trade"
    login_url: str = "https://kite.zerodha.com/connect/login"
    redirect_port: int = 8377
    postback_port: int | None = None


class TaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ray_address` is the Ray cluster that searches run on; "local" starts one here. None is this machine without."""

    ray_address: str | None = None


class StreamSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stream of ticks: `url` is the NATS server, `name` the stream there.

    It keeps `keep_hours` and `keep_mb` megabytes at most, the oldest give way.
    """

    url: str | None = None
    name: str = "manjha"
    keep_hours: int = 72
    keep_mb: int = 2048


class RiskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The controls of paper and live trading: `risk.control_limits` and the rate, in whole rupees and seconds.

    `day_` and `profit_` are of the account's profit of a day, `strategy_` of that of each strategy by itself.
    `instruments` is what may be traded, separated by commas. Collars and the jump are in hundredths of a per cent. None
    is no limit; with real money those that have no default must be set.
    """

    instruments: str | None = None
    order_qty_max: int | None = None
    order_value_max: int | None = None
    open_value_max: int | None = None
    instrument_value_max: int | None = None
    gross_value_max: int | None = None
    net_value_max: int | None = None
    day_loss_max: int | None = None
    day_profit_target: int | None = None
    profit_lock_at: int | None = None
    profit_floor: int | None = None
    profit_trail: int | None = None
    strategy_loss_max: int | None = None
    strategy_profit_target: int | None = None
    strategy_profit_lock_at: int | None = None
    strategy_profit_floor: int | None = None
    strategy_profit_trail: int | None = None
    orders_day_max: int | None = None
    collar_share: int = 200
    collar_future: int = 200
    collar_option: int = 2_000
    price_age_s: int = 5
    price_jump_max: int = 2_000
    bad_prices_max: int = 3
    duplicate_s: int = 2
    entries_max: int = 5
    entries_window_s: int = 300
    rejections_max: int = 3
    reject_cooldown_s: int = 10
    modifications_max: int = 20
    skipped_stop_s: int = 10
    per_second: int = 8
    per_minute: int = 180
    per_day: int = 1_800
    account_per_second: int = 8
    account_per_minute: int = 350
    account_per_day: int = 4_500
    reserve: int = 20
    entry_age_s: int = 5


class ProtectionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pauses that follow from how trades ended: `risk.protections`, in seconds and whole rupees; one of each kind.

    `drawdown_fall` is in hundredths of a per cent of the capital. A protection is off unless its settings are all set.
    """

    cooldown_s: int | None = None
    stop_guard_trades: int | None = None
    stop_guard_lookback_s: int | None = None
    stop_guard_pause_s: int | None = None
    stop_guard_per_instrument: bool = False
    low_profit_trades: int | None = None
    low_profit_lookback_s: int | None = None
    low_profit_pause_s: int | None = None
    low_profit_below: int | None = None
    drawdown_trades: int | None = None
    drawdown_lookback_s: int | None = None
    drawdown_pause_s: int | None = None
    drawdown_fall: int | None = None


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`urls` are where notes go, in Apprise's form; `${NAME}` in one is a variable of the environment.

    `pace_s` is from one message of a kind to the next, at each address. For each kind, the lowest level that is told:
    info, warning, alarm, or off. Calls for a person are always told.
    """

    urls: tuple[str, ...] | None = None
    pace_s: int = 10
    order: str = "info"
    fill: str = "info"
    reject: str = "info"
    halt: str = "info"
    daily: str = "info"
    health: str = "info"


class SecretSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where secrets are kept, besides the environment: docs/secrets.md.

    `seal` is where the key of the sealed file is. `outage_s` is how long what a keyring or Vault gave is believed while
    it does not answer, `overlap_hours` how long the key before opens the file when it is rotated.
    """

    keyring: bool = False
    seal: str = "environment"
    outage_s: int = 900
    overlap_hours: int = 24
    vault_url: str | None = None
    vault_auth: str = "approle"
    vault_mount: str = "secret"
    vault_path: str = "manjha"
    vault_transit_mount: str = "transit"
    vault_transit_key: str = "manjha"
    vault_namespace: str | None = None
    vault_ca: str | None = None
    vault_timeout_s: int = 5


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where lines go: `to` a file in MANJHA_HOME/logs, stderr or off; `level` is the lowest that is written.

    A file of `file_mb` megabytes is put aside, `files` of them are kept. `mask_accounts` hides letters of account ids.
    """

    to: str = "file"
    level: str = "info"
    file_mb: int = 16
    files: int = 8
    mask_accounts: bool = False


class MetricSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ports of this machine at which Prometheus may ask each kind of process; None is not at all."""

    trader_port: int | None = None
    api_port: int | None = None


class TraceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url` is where traces of orders go, by OTLP over HTTP; None is not at all.

    Of a thousand orders `sampled` are traced.
    """

    url: str | None = None
    sampled: int = 1_000


class JobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Jobs: how many `workers` are at work at once, and how much each process of one may hold.

    `processes` is how many a search of a job may use; None shares the cores among the workers. `nice` is how far they
    give way to others. `queue` and `queue_per_caller` may wait; `upload_mb` may be sent with one; what has ended is
    deleted after `keep_days`.
    """

    workers: int = 2
    processes: int | None = None
    memory_mb: int = 4096
    nice: int = 10
    queue: int = 100
    queue_per_caller: int = 20
    upload_mb: int = 256
    keep_days: int = 30
