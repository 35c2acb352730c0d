"""`manjha trade` and `up`, asked wrongly: a clear answer, and nothing is made."""

import pytest

from tests.e2e.test_cli_trade import DAYS, Desk, desk, folder

__all__ = ["desk", "folder"]
"""Fixtures of these tests."""


def test_wrong_words_are_answered_and_leave_no_journal(desk: Desk) -> None:
    assert desk.trade("--account", "WRONG") == 2
    assert "Give --from and --to" in desk.erred
    assert desk.trade("--from", "2025-01-01", "--to", "2025-01-02", "--account", "WRONG") != 0
    assert "no bars are stored from 2025-01-01 to 2025-01-02" in desk.erred
    assert desk.trade(*DAYS, "--account", "WRONG", "-p", "every=soon") == 2
    assert desk.trade(*DAYS, "--account", "WRONG", "-s", "no-such-strategy") == 2
    assert "no-such-strategy" in desk.erred
    assert not desk.journal("WRONG").exists()


@pytest.mark.parametrize("day", ["2025-12-28", "2025-12-25", "2023-12-29", "2026-01-01"])
def test_up_refuses_a_day_that_is_not_traded_before_it_makes_anything(desk: Desk, day: str) -> None:
    assert desk("up", "--day", day) == 2
    assert f"{day} is no trading day of the synthetic market, which goes from 2024-01-01 to 2025-12-31" in desk.erred
    assert not desk.said
    assert not (desk.folder / "home" / "demo").exists()
    assert desk("up", "--day", "tomorrow") != 0
    assert "expected a date like 2026-11-22" in desk.erred


@pytest.mark.parametrize("account", ["../other", "a/b", "", ".."])
def test_an_account_that_is_no_name_is_refused(desk: Desk, account: str) -> None:
    assert desk.trade(*DAYS, "--account", account) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--stream", "here", *DAYS), "--stream gives the ticks itself"),
        (("--stream", "nats://127.0.0.1:1", "--ticks", "recorded"), "--stream gives the ticks itself"),
        (
            ("--stream", "nats://127.0.0.1:1", "--from", "", "--to", "", "--gateway", "simulated"),
            "gives the ticks itself",
        ),
        (("--live", "--stream", "here"), "--live takes the ticker in this process anyway"),
        (("--stream", "nats://10.1.2.3:4222", *DAYS), "a server elsewhere needs TLS"),
        (("--ticks", "recorded", *DAYS), "nothing was recorded from 2024-01-30 to 2024-01-31"),
    ],
)
def test_streams_asked_for_wrongly_are_answered_and_leave_no_journal(
    desk: Desk, words: tuple[str, ...], said: str
) -> None:
    assert desk.trade("--account", "WRONG", *words) == 2
    assert said.lower() in desk.erred.lower()
    assert not desk.journal("WRONG").exists()
