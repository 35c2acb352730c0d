"""Databases of records as an older Manjha left them: tables of a migration, with rows that it could have."""

from typing import Any

from sqlalchemy import Connection, MetaData, Table, create_engine, insert, inspect, select, table, text

from manjha.adapters.sql.database import Database, read_url

AT = 1_720_000_000_000_000_000
BIG = 9_223_372_036_854_775_807
TRIAL: dict[str, Any] = {
    "variant": "v" * 32,
    "strategy": "sma-cross",
    "source_hash": "5" * 64,
    "data_set": "NSE:ALPHA 1d",
    "data_hash": "d" * 64,
    "interval": 86_400,
    "first_ns": AT,
    "last_ns": AT + 1,
    "settings_hash": "e" * 64,
    "seed": BIG,
    "parameters": '{"fast":10}',
    "status": "ok",
    "error": "",
    "count": 250,
    "mean": -BIG,
    "trades": 3,
    "returns": b"\x00\xff",
    "recorded_ns": AT,
}
LINES = dict.fromkeys(("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst", "dp", "other"), BIG)
WHOSE = {"account": "AB1234", "strategy": "मांझा"}
ORDER: dict[str, Any] = {
    **WHOSE,
    **dict.fromkeys(("run", "type", "product", "variety", "validity", "purpose", "tag", "phase", "reason"), "x"),
    **dict.fromkeys(("decided_ns", "asked_qty", "asked_limit", "asked_trigger", "disclosed", "protection_bps"), 1),
    **dict.fromkeys(("qty", "limit", "trigger", "filled", "turnover", "closed_ns", "placed_seq", "changed_seq"), BIG),
    "id": "1300000012345678901",
    "instrument": "NSE:ALPHA",
    "side": -1,
    "alarms": 0,
    "broker_id": "",
}
RUN = {"id": "run-1", "mode": "", "parameters": "{}", "code_version": "", "rules_hash": "", "exit": "", "recorded": 1}
BACKTEST: dict[str, Any] = {
    **WHOSE,
    **dict.fromkeys(("parameters", "instruments", "data_set", "data_hash", "document"), "x"),
    **dict.fromkeys(("first_ns", "last_ns", "initial", "final", "charges", "made_ns"), BIG),
    "run": "run-1",
    "trades": 1,
}
ROWS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "0001": {
        "trials": [TRIAL | {"key": f"{number:032d}"} for number in range(3)],
        "study_trials": [{"study": "s", "trial_key": f"{1:032d}"}],
    },
    "0002": {"trials": [TRIAL | {"key": "k" * 32, "instruments": "NSE:ALPHA, NSE:BETA"}]},
    "0003": {"runs": [{**WHOSE, **RUN, "started_ns": AT}], "backtests": [BACKTEST]},
    "0004": {
        "orders": [ORDER],
        "trades": [
            {**{name: ORDER[name] for name in (*WHOSE, "run", "instrument", "side", "product")}, "seq": 5, "id": "f1"}
            | {"order_id": ORDER["id"], "qty": 1, "px": BIG, "reference": 1, "ts_ns": AT, **LINES}
        ],
        "contract_notes": [{**WHOSE, "seq": 6, "day": 20_000, "ts_ns": AT, **LINES}],
        "positions": [
            {**WHOSE, "instrument": "NSE:ALPHA", "product": "CNC", "qty": -BIG, "cost": BIG, "realised": 1}
            | {"changed_ns": AT, "changed_seq": 5}
        ],
        "projections": [{"account": "AB1234", "seq": 6, "hash": b"\x00" * 32, "day": 20_000, "strikes": "{}"}],
    },
    "0005": {
        "model_versions": [
            {"name": "m", "version": 1, "hash": "h", "stage": "champion", "metrics": "{}"}
            | {"data_hashes": "[]", "created_ns": AT}
        ],
        "api_tokens": [{"id": "t", "name": "bot", "salt": b"\x00", "hash": b"\xff", "scopes": "[]", "created_ns": AT}],
        "settings": [{"key": "k", "version": 1, "value": "1", "changed_ns": AT, "changed_by": "asha"}],
    },
    "0009": {
        "jobs": [
            {**dict.fromkeys(("asked", "progress", "summary", "artefacts", "problem"), "{}"), "id": "j9", "number": 1}
            | {"kind": "sweep", "by": "asha", "place": "here", "key": "k", "state": "done", "made_ns": AT, "attempt": 1}
            | {"deaths": 0, "lease": "", "pid": 0, "changed": 1, "ended_ns": BIG}
        ],
        "job_changes": [{"id": 2, "last": BIG}],
    },
    "0010": {
        "kept_answers": [
            {"caller": "t1", "key": "k1", "fingerprint": "f" * 64, "own_key": "api-1", "made_ns": AT, "status": 201}
            | {"body": '{"seq":1}'}
        ],
        "hooks": [
            {"id": "h1", "name": "breakout", "account": "AB1", "strategy": "tv", "instruments": "[]", "product": "MIS"}
            | {"qty_max": BIG, "per_minute": 6, "proof": "signature", "is_on": 1, "made_ns": AT, "made_by": "me"}
            | {"version": 1}
        ],
        "hook_words": [{"hook": "h1", "word": "w1", "until_ns": AT}],
    },
    "0007": {
        "orders": [ORDER | {"id": "o7"}],
        "trades": [
            {**{name: ORDER[name] for name in (*WHOSE, "run", "instrument", "side", "product")}, "seq": 7, "id": "f7"}
            | {"number": 0, "order_id": "o7", "qty": 1, "px": BIG, "reference": 1, "ts_ns": AT, **LINES}
        ],
        "projections": [
            {"account": "ZZ1", "seq": 6, "hash": b"\x00" * 32, "day": 20_000, "strikes": "{}"}
            | {"desk": '{"epoch":3}', "form": 2}
        ],
        "runs": [{**WHOSE, **RUN, "id": "run-7", "started_ns": AT, "closed_ns": AT}],
    },
    "0008": {
        "api_tokens": [
            {"id": "t8", "name": "app", "salt": b"\x00", "hash": b"\xff", "scopes": "[]", "created_ns": AT}
            | {"owner": "asha", "addresses": '["10.0.0.0/8"]', "replaced_by": "t9", "revoked_ns": BIG}
        ],
        "sessions": [
            {"id": "s", "owner": "asha", "started_ns": AT, "expires_ns": BIG, "address": "::1", "stepped_up_ns": 0}
            | {"revoked_ns": BIG, "why": "x"}
        ],
        "session_keys": [
            {"id": "k", "session": "s", "access_hash": b"\x00", "access_expires_ns": BIG, "refresh_hash": b"\xff"}
            | {"refresh_expires_ns": BIG, "spent_ns": AT}
        ],
        "people": [{"name": "asha", "password": "x", "changed_ns": AT, "has_factor": True, "factor_step": BIG}],
        "one_time_links": [{"id": "l", "owner": "asha", "hash": b"\x00", "made_ns": AT, "expires_ns": BIG}],
        "attempts": [{"key": "address:::1", "due_ns": AT, "failures": BIG, "locked_ns": BIG, "changed_ns": AT}],
        "audit_log": [
            {"seq": 1, "ts_ns": AT, "kind": "token.made", "who": "asha", "address": "", "details": "{}"}
            | {"previous": b"\x00", "hash": b"\xff"}
        ],
        "audit_head": [{"name": "audit", "seq": 1, "hash": b"\xff"}],
    },
    "0006": {"trials": [TRIAL | {"key": "c" * 32, "instruments": "NSE:ALPHA", "chosen_from": "evolved"}]},
}
"""By migration: rows of the tables and columns that it brought."""


def made_by(url: str, revision: str) -> None:
    """Make the tables step by step up to a migration, and put each one's rows in when it is there."""
    database = Database(url)
    engine = create_engine(read_url(url, "url"))
    for step in sorted(ROWS):
        if step > revision:
            break
        database.move_to(step)
        with engine.begin() as connection:
            for name, rows in ROWS[step].items():
                connection.execute(insert(Table(name, MetaData(), autoload_with=connection)), rows)
    engine.dispose()
    database.close()


def content(url: str) -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """Return the migration and every row of every table, as the database itself tells them."""
    engine = create_engine(read_url(url, "url"))
    with engine.connect() as connection:
        rows = _tables(connection)
    engine.dispose()
    version = rows.pop("alembic_version", [{"version_num": ""}])
    return str(version[0]["version_num"]), rows


def _tables(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    names = inspect(connection).get_table_names()
    return {
        name: sorted(
            (row._asdict() for row in connection.execute(select(text("*")).select_from(table(name)))), key=repr
        )
        for name in sorted(names)
    }
