"""Call methods of the official Python client one after another; a list of steps in, what each gave out.

A step is {"call": method, "args": [...], "kwargs": {...}}, {"advance": seconds}, {"login": user}, {"token": access token}
or, for what the client has no method for, {"http": [method, path, form]} with the client's session.
An argument {"$": [step, key, ...]} is taken from what an earlier step gave.
"""

import datetime
import json
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from kiteconnect import KiteConnect

told = json.load(sys.stdin)
root = told["root"]
kite = KiteConnect(told["api_key"], access_token=told.get("access_token"), root=root)
hooked = []
kite.set_session_expiry_hook(lambda: hooked.append(1))
given = []


def filled(value):
    if isinstance(value, dict):
        if set(value) == {"$"}:
            step, *keys = value["$"]
            found = given[step]["gave"]
            for key in keys:
                found = found[key]
            return found
        return {name: filled(part) for name, part in value.items()}
    return [filled(part) for part in value] if isinstance(value, list) else value


def login(user):
    page = requests.get(root + "/connect/login", params={"v": 3, "api_key": kite.api_key}, allow_redirects=False)
    if page.status_code == 200:
        form = {"api_key": kite.api_key, "user_id": user}
        page = requests.post(root + "/connect/login", data=form, allow_redirects=False)
    landed = parse_qs(urlsplit(page.headers["location"]).query)
    return {
        "landed": {name: values[0] for name, values in landed.items()},
        "session": kite.generate_session(landed["request_token"][0], told["api_secret"]),
    }


def done(step):
    if "login" in step:
        return login(step["login"])
    if "advance" in step:
        return requests.post(root + "/simulation/advance", data={"seconds": step["advance"]}).json()["data"]
    if "token" in step:
        return kite.set_access_token(filled(step["token"]))
    if "http" in step:
        method, path, form = filled(step["http"])
        path = "".join(path)
        headers = {"Authorization": f"token {kite.api_key}:{kite.access_token}"}
        sent = {"json": form} if isinstance(form, list) else {"data": form}
        return requests.request(method, root + path, headers=headers, **sent).json()["data"]
    method = getattr(kite, step["call"])
    return method(*filled(step.get("args", [])), **filled(step.get("kwargs", {})))


for step in told["steps"]:
    try:
        given.append({"gave": done(step)})
    except Exception as error:
        given.append({"error": type(error).__name__, "code": getattr(error, "code", None), "text": str(error)})


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.decode() if isinstance(value, bytes) else str(value)


json.dump({"steps": given, "hooked": len(hooked)}, sys.stdout, default=plain)
