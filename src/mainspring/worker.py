"""`python -m mainspring.worker`: does the heavy reactions that its server hands it, one at a time.

Each line of standard input is a job, each line of standard output its answer. When the input ends,
the server is gone, and so is this process: the job will be done again by the next server's child.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from importlib import import_module
from typing import Any, TextIO

import msgspec

from mainspring.core.errors import MainspringError
from mainspring.core.event import Event
from mainspring.core.ids import reaction_request_ids
from mainspring.core.settings import read_variable
from mainspring.interfaces.remote import RemoteClient

PATIENCE_S = 120.0


def main() -> int:
    """Do jobs until the input ends."""
    url, token = read_variable("MAINSPRING_URL"), read_variable("MAINSPRING_TOKEN")
    if url is None or token is None:
        sys.stderr.write("mainspring.worker is started by `mainspring up` and not by hand\n")
        return 2
    # Answers go out on the original standard output; whatever a recipe prints goes to the log.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    waiting: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(waiting,), daemon=True).start()
    while True:
        _answer(answers, _do(json.loads(waiting.get()), url, token))


def _listen(waiting: queue.Queue[str]) -> None:
    for line in sys.stdin:
        waiting.put(line)
    os._exit(0)


def _do(message: dict[str, Any], url: str, token: str) -> dict[str, Any]:
    event = msgspec.convert(message["event"], Event)
    client = RemoteClient(url, token, event.workspace, PATIENCE_S)
    client.cause = event.id
    job = message["job"]
    client.request_ids = reaction_request_ids(event.id, message["reaction"])
    module, _, name = message["function"].partition(":")
    try:
        getattr(import_module(module), name)(client, event)
    except MainspringError as error:
        traceback.print_exc()
        return {"job": job, "error": f"{error.code} {error.message}", "known": error.status < 500}
    except Exception:  # noqa: BLE001  the edge of foreign code
        traceback.print_exc()
        return {"job": job, "error": traceback.format_exc(), "known": False}
    finally:
        client.close()
    return {"job": job, "error": None}


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
