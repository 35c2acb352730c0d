"""What Vault's HTTP API documents of KV v2, Transit, AppRole, tokens and wrapping, answered by a server here.

It is written from the documentation of the API (developer.hashicorp.com/vault/api-docs): no Vault was there to record.
A token has a lease that ends by the clock given; a wrapped secret_id opens once; a role has one policy for everything.
"""

import base64
import json
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class RefusedError(Exception):
    """An answer that is none: a status and Vault's words."""

    def __init__(self, status: int, *words: str) -> None:
        super().__init__(status)
        self.status, self.words = status, words


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    token: str
    body: dict[str, Any]


class VaultServer:
    """The state of a Vault with one role; tests change its fields to make it sealed, slow, strict or forgetful."""

    def __init__(self, now_s: Callable[[], float] = lambda: 0.0) -> None:
        self.now_s = now_s
        self.ttl, self.renewable, self.policies = 3600, True, ["default", "manjha"]
        self.role_id, self.secret_ids = "role-1", {"sid-1"}
        self.sealed = self.forbids = False
        self.raw: tuple[int, bytes, dict[str, str]] | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.tokens: dict[str, float] = {}
        self.wrapped: dict[str, tuple[str, str]] = {}
        self.kv: dict[str, list[dict[str, str] | None]] = {}
        self.keys: dict[str, list[Fernet]] = {"manjha": [Fernet(Fernet.generate_key())]}
        self.asked: list[Asked] = []
        self.base = ""

    def wrap(self, secret_id: str, path: str = "auth/approle/role/manjha/secret-id") -> str:
        """Return a token that opens to a secret_id, once."""
        token = f"hvs.wrap-{secrets.token_hex(8)}"
        self.wrapped[token] = (secret_id, path)
        return token

    def issue(self, ttl: float | None = None) -> str:
        """Return a new token."""
        token = f"hvs.{secrets.token_hex(12)}"
        self.tokens[token] = self.now_s() + (self.ttl if ttl is None else ttl)
        return token

    def count(self, part: str) -> int:
        """Return how many requests had a part in their path."""
        return sum(part in asked.path for asked in self.asked)

    def answer(self, asked: Asked) -> dict[str, Any]:
        """Return the answer to a request, or raise `RefusedError`."""
        if self.sealed:
            raise RefusedError(503, "Vault is sealed")
        match asked.path.removeprefix("/v1/").split("/"):
            case ["auth", "approle", "login"]:
                return self._login(asked.body)
            case ["sys", "wrapping", "lookup"]:
                return {"data": {"creation_path": self._wrapping(asked.body["token"])[1], "creation_ttl": 60}}
            case ["sys", "wrapping", "unwrap"]:
                secret_id, _ = self._wrapping(asked.token)
                del self.wrapped[asked.token]
                return {"data": {"secret_id": secret_id, "secret_id_accessor": "a"}}
            case ["auth", "token", "renew-self"]:
                self._known(asked.token)
                if not self.renewable:
                    raise RefusedError(400, "lease is not renewable")
                self.tokens[asked.token] = self.now_s() + self.ttl
                return self._auth(asked.token)
            case ["auth", "token", "lookup-self"]:
                left = self._known(asked.token) - self.now_s()
                return {"data": {"ttl": int(left), "renewable": self.renewable, "policies": self.policies}}
        self._known(asked.token)
        if self.forbids:
            raise RefusedError(403, "1 error occurred:\n\t* permission denied\n\n")
        return self._engine(asked)

    def _engine(self, asked: Asked) -> dict[str, Any]:
        match asked.path.removeprefix("/v1/").split("/"):
            case ["secret", "data", *rest] if asked.method == "GET":
                versions = self.kv.get("/".join(rest), [])
                if not versions:
                    raise RefusedError(404)
                data, about = versions[-1], {"version": len(versions), "deletion_time": ""}
                if data is None:
                    raise RefusedError(404)
                return {"data": {"data": data, "metadata": about}}
            case ["secret", "data", *rest]:
                self.kv.setdefault("/".join(rest), []).append(asked.body["data"])
                return {"data": {"version": len(self.kv["/".join(rest)]), "created_time": "2026-01-01T00:00:00Z"}}
            case ["secret", "metadata", *rest] if asked.method == "LIST":
                folder = "/".join(rest) + "/"
                keys = sorted(path.removeprefix(folder) for path in self.kv if path.startswith(folder))
                if not keys:
                    raise RefusedError(404)
                return {"data": {"keys": keys}}
            case ["secret", "metadata", *rest] if asked.method == "DELETE":
                self.kv.pop("/".join(rest), None)
                return {}
            case ["transit", "encrypt" | "decrypt" as what, key] if key in self.keys:
                return self._transit(what, key, asked.body)
            case ["transit", "keys", key, "rotate"] if key in self.keys:
                self.keys[key].insert(0, Fernet(Fernet.generate_key()))
                return {}
        raise RefusedError(404, f"no handler for route {asked.path!r}")

    def _transit(self, what: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        seal = MultiFernet(self.keys[key])
        if what == "encrypt":
            sealed = base64.b64encode(seal.encrypt(base64.b64decode(body["plaintext"]))).decode()
            return {"data": {"ciphertext": f"vault:v{len(self.keys[key])}:{sealed}", "key_version": 1}}
        try:
            opened = seal.decrypt(base64.b64decode(body["ciphertext"].split(":", 2)[2]))
        except (InvalidToken, ValueError, IndexError):
            raise RefusedError(400, "cipher: message authentication failed") from None
        return {"data": {"plaintext": base64.b64encode(opened).decode()}}

    def _login(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("role_id") != self.role_id or body.get("secret_id") not in self.secret_ids:
            raise RefusedError(400, "invalid role or secret ID")
        return self._auth(self.issue())

    def _auth(self, token: str) -> dict[str, Any]:
        about = {"lease_duration": self.ttl, "renewable": self.renewable, "policies": self.policies}
        return {"auth": {"client_token": token, **about}}

    def _known(self, token: str) -> float:
        until = self.tokens.get(token, -1.0)
        if until <= self.now_s():
            raise RefusedError(403, "permission denied")
        return until

    def _wrapping(self, token: str) -> tuple[str, str]:
        if token not in self.wrapped:
            raise RefusedError(400, "wrapping token is not valid or does not exist")
        return self.wrapped[token]

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator["VaultServer"]:
        """Serve until the end of the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.base = f"http{'s' if tls else ''}://{host}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(vault: VaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            asked = Asked(self.command, self.path, self.headers.get("X-Vault-Token", ""), body)
            vault.asked.append(asked)
            vault.gate.wait(20)
            if vault.raw is not None:
                return self._write(*vault.raw)
            try:
                found = json.dumps(vault.answer(asked)).encode()
            except RefusedError as refused:
                return self._write(refused.status, json.dumps({"errors": list(refused.words)}).encode(), {})
            return self._write(200 if found != b"{}" else 204, b"" if found == b"{}" else found, {})

        def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            try:
                self.send_response(status)
                given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
                for name, value in given.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # Whoever asked has gone: that is what a slow Vault is tried with.
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_LIST = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    return Handler
