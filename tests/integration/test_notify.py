"""Notes through Apprise to receivers on this machine: a webhook, a mail server, and a stand-in for Telegram."""

import email
import email.policy
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.app.cli import main
from manjha.app.setting_sections import NotifySettings
from manjha.app.settings import Settings, load_settings
from manjha.app.trading.account_parts import notifier, receivers
from manjha.domain.errors import SettingsError
from manjha.domain.moments import TsNs
from manjha.domain.notes import Note, NoteKind, NoteLevel
from tests.fakes.receivers import Mail, Web, serving

CALL = Note(NoteKind.CALL, NoteLevel.ALARM, "Look at NSE:INFY", "The broker shows 5, the trader 2.", TsNs(1))


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    with serving(server):
        yield server


@pytest.fixture
def mail() -> Iterator[Mail]:
    server = Mail()
    with serving(server):
        yield server


def of(*urls: str, **more: str) -> Settings:
    return Settings(notify=NotifySettings(urls=urls, pace_s=1, **more))


def webhook(web: Web) -> str:
    return f"json://127.0.0.1:{web.server_address[1]}/hook"


def letters(mail: Mail) -> str:
    return f"mailto://127.0.0.1:{mail.server_address[1]}/?smtp=127.0.0.1&mode=insecure&from=a@x.in&to=b@x.in"


def post(url: str) -> str:
    (receiver,) = receivers(of(url), {})
    return receiver.post(CALL)


def test_a_webhook_gets_title_text_and_level(web: Web) -> None:
    assert post(webhook(web)) == ""
    ((path, body),) = web.got
    assert (path, body["title"], body["message"], body["type"]) == ("/hook", CALL.title, CALL.text, "failure")


def test_a_webhook_that_refuses_is_quoted(web: Web) -> None:
    web.answers = [(503, b"")]
    assert "503" in post(webhook(web))


def test_a_receiver_that_is_not_there_is_said() -> None:
    assert "Connection error" in post("json://127.0.0.1:9/hook")


def test_a_letter_is_taken_by_a_mail_server(mail: Mail) -> None:
    assert post(letters(mail)) == ""
    letter = email.message_from_string(mail.letters[0], policy=email.policy.default)
    assert (letter["Subject"], letter["To"]) == (CALL.title, "b@x.in")
    body = letter.get_body(("plain",))
    assert body is not None
    assert CALL.text in body.get_content()


def test_a_letter_that_is_refused_is_said(mail: Mail) -> None:
    mail.code = "550 no such person"
    assert post(letters(mail))


def test_telegram_gets_a_message_at_its_own_address(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    # Apprise lets no address name another host for Telegram, so the plug-in's own is replaced.
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{web.server_address[1]}/bot")
    monkeypatch.setattr(NotifyTelegram, "request_rate_per_sec", 0)
    token = ":".join(("123456789", "abcdefg_hijklmnop"))
    assert post(f"tgram://{token}/1234/") == ""
    ((path, body),) = web.got
    assert (path, str(body["chat_id"])) == (f"/bot{token}/sendMessage", "1234")
    assert CALL.text in str(body["text"])
    web.answers = [(401, b'{"ok":false,"description":"Unauthorized"}')]
    answer = post(f"tgram://{token}/1234/")
    assert "Unauthorized" in answer
    assert token not in answer


def test_a_call_reaches_a_receiver_that_comes_back(web: Web) -> None:
    web.answers = [(500, b""), (200, b"{}")]
    tells = notifier(of(webhook(web)), {})
    tells.tell(CALL)
    tells.close(20)
    assert [body["title"] for _, body in web.got] == [CALL.title] * 2


def test_a_kind_that_is_off_is_not_told(web: Web) -> None:
    tells = notifier(of(webhook(web), fill="off", order="warning"), {})
    for kind in (NoteKind.FILL, NoteKind.ORDER, NoteKind.DAILY):
        tells.tell(Note(kind, NoteLevel.INFO, kind, kind, TsNs(1)))
    tells.close(20)
    assert [body["title"] for _, body in web.got] == ["daily"]


def test_without_an_address_nobody_is_told() -> None:
    tells = notifier(Settings(), {})
    tells.tell(CALL)
    tells.close(0)


def test_a_secret_comes_from_the_environment(web: Web) -> None:
    (receiver,) = receivers(of(webhook(web) + "/${HOOK_SECRET}"), {"HOOK_SECRET": "s3cret"})
    assert (receiver.post(CALL), receiver.name) == ("", "JSON 1")
    assert web.got[0][0] == "/hook/s3cret"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tgram://${NO_SUCH_TOKEN}/1", "names the variable NO_SUCH_TOKEN, which is not set"),
        ("smoke://signals", "address 1 of notify.urls is none that Apprise knows: smoke://…"),
        ("nonsense", "address 1 of notify.urls is none that Apprise knows"),
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"notify\.urls") as caught:
        notifier(of(url), {})
    assert said in caught.value.message


def test_apprise_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "manjha.adapters.notify.apprise", raising=False)
    with pytest.raises(SettingsError, match="Apprise is not installed"):
        receivers(of("json://127.0.0.1/"), {})


# ---- settings and the command


def test_addresses_are_a_list_in_the_file_and_words_in_the_variable(tmp_path: Path) -> None:
    (tmp_path / "manjha.toml").write_text('[notify]\nurls = ["json://a", "json://b"]\nfill = "off"\n')
    found = load_settings({"MANJHA_HOME": str(tmp_path)}).notify
    assert (found.urls, found.fill) == (("json://a", "json://b"), "off")
    found = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_NOTIFY_URLS": " json://c  json://d "}).notify
    assert found.urls == ("json://c", "json://d")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('urls = "json://a"', "notify.urls must be a list of texts"),
        ("urls = [1]", "notify.urls must be a list of texts"),
        ('fill = "loud"', "notify.fill must be one of info, warning, alarm, off, was 'loud'"),
        ("pace_s = 0", "notify.pace_s must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "manjha.toml").write_text(f"[notify]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({"MANJHA_HOME": str(tmp_path)})
    assert said in caught.value.message


def test_the_test_says_what_each_receiver_answered(
    web: Web, mail: Mail, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    web.answers = [(404, b"")]
    monkeypatch.setenv("MANJHA_NOTIFY_URLS", f"{webhook(web)} {letters(mail)}")
    with pytest.raises(SystemExit) as ended:
        main(["notify", "test"])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert (ended.value.code, lines[0], lines[2]) == (1, "receiver answer", "E-Mail 2 taken")
    assert lines[1].startswith("JSON 1 ")
    assert "404" in lines[1]
    web.answers = [(200, b"{}")]
    with pytest.raises(SystemExit) as ended:
        main(["notify", "test", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (ended.value.code, [one["delivered"] for one in found]) == (0, [True, True])


def test_without_an_address_the_test_says_where_to_write_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "MANJHA_NOTIFY_URLS" not in os.environ
    with pytest.raises(SystemExit) as ended:
        main(["notify", "test"])
    assert (ended.value.code, "set MANJHA_NOTIFY_URLS" in capsys.readouterr().err) == (2, True)
