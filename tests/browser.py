"""A browser in tests: it signs in, keeps its cookie, asks who it is."""

from __future__ import annotations

from typing import Any

import httpx2

from mainspring.administration import contract
from mainspring.administration.contract import SetPassword
from mainspring.interfaces.http.cookie import NAME
from tests.house import Clients

PASSWORD, OTHER = "correct horse battery", "staple of the second kind"
SESSION, API = "/api/v1/session", "/api/v1/workspaces/default"
EVIL = "http://evil.example"


def set_password(clients: Clients, person: str, password: str = PASSWORD) -> None:
    request = SetPassword(person=person, password=password)
    clients.admin.call(contract.set_password, request)


def sign_in(http: httpx2.Client, person: str = "vera", **given: Any) -> str:
    """Sign in; the client keeps the cookie, as a browser does. Answers what is in it."""
    answer = http.post(SESSION, json=given or {"name": person, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return http.cookies[NAME]


def who(http: httpx2.Client) -> str | int:
    answer = http.get(SESSION)
    return str(answer.json()["name"]) if answer.status_code == 200 else answer.status_code


def write(http: httpx2.Client, **headers: str) -> httpx2.Response:
    """Ada adds a person."""
    return http.post(f"{API}/people", json={"name": "zoe"}, headers=headers)


def without_origin(http: httpx2.Client, url: str) -> httpx2.Client:
    return httpx2.Client(
        base_url=url, trust_env=False, cookies={NAME: http.cookies[NAME]}, verify=False
    )
