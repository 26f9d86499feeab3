"""`mainspring serve`: models at work without a server beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from mainspring.core.errors import Invalid
from mainspring.interfaces.cli.connection import chosen_home, connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.loading import FETCHED, LIMITS, LOG_POLICY, PREPARE, STANDALONE, load

DEFAULT_PORT = 8080
PLACE = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("models", nargs=-1, required=True, metavar="NAME=SOURCE...")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port of HTTP; 0 takes any that is free.",
)
@click.option("--grpc-port", type=click.IntRange(1, 65535), help="The port of gRPC, if wanted.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes share the ports.",
)
@click.option(
    "--token-file",
    type=PLACE,
    metavar="FILE",
    help="The tokens that may predict, one a line; without it anybody on this machine may.",
)
@click.option(
    "--allow-code-models", "allow_code", is_flag=True, help="Read pickles, which run code."
)
@click.option("--log-folder", type=PLACE, metavar="DIR", help="Where predictions are recorded.")
@click.option("--no-log", is_flag=True, help="Record no predictions.")
@click.option(
    "--log-sample",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="The share of requests that are recorded.",
)
@click.option("--log-redact", multiple=True, metavar="NAME", help="An input or output not to keep.")
@click.option("--log-hash", multiple=True, metavar="NAME", help="One to keep as a keyed hash only.")
@click.option("--log-key-file", type=PLACE, metavar="FILE", help="The key of the hashes, in hex.")
@click.option("--entity-key", metavar="NAME", help="The input that says whom a row is about.")
@click.option("--access-log", type=PLACE, metavar="FILE", help="Write a line for each request.")
@click.option("--no-metrics", is_flag=True, help="Count nothing for /metrics.")
@click.option(
    "--queue",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="How many requests may wait for a model.",
)
@click.option(
    "--predict-seconds", type=click.FloatRange(0, 86_400, min_open=True), default=60.0,
    show_default=True, help="How long a prediction may take.",
)  # fmt: skip
def serve(models: tuple[str, ...], **given: Any) -> None:
    """Serve models over the Open Inference Protocol, until SIGTERM or Ctrl-C.

    SOURCE is a reference such as churn@production, a model file or folder, or module:Class.
    """
    home = chosen_home(chosen()) / "serving" / f"{given['port']}"
    log_folder = None if given["no_log"] else given["log_folder"] or home / "log"
    asked = load(STANDALONE)(
        models=models,
        host=given["host"],
        port=given["port"],
        grpc_port=given["grpc_port"],
        workers=given["workers"],
        token_file=given["token_file"],
        log_folder=log_folder,
        policy=_policy(given),
        limits=load(LIMITS)(queue=given["queue"], predict_seconds=given["predict_seconds"]),
        allow_code=given["allow_code"],
        metrics=not given["no_metrics"],
        access_log=given["access_log"],
    )
    path: Path = load(PREPARE)(asked, home, _fetch)
    if given["token_file"] is None:
        note("no token is asked for: anybody on this machine may predict (--token-file)")
    arguments = [sys.executable, "-m", "mainspring.serving", "--snapshot", str(path)]
    sys.stdout.flush()
    # The leader of the data plane takes the place of this process, which has loaded much that it
    # does not need. `-m` has it look for module:Class in the current folder too.
    os.execv(sys.executable, arguments)  # noqa: S606  our own interpreter


def _policy(given: dict[str, Any]) -> Any:
    key = None
    if given["log_key_file"] is not None:
        try:
            key = given["log_key_file"].read_text().strip().lower()
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(
                f"the key file {given['log_key_file']} cannot be read: {error}",
                field="log_key_file",
            ) from None
    return load(LOG_POLICY)(
        sample=given["log_sample"],
        redact=given["log_redact"],
        hashed=given["log_hash"],
        key=key,
        entity_key=given["entity_key"],
    )


def _fetch(model: str, reference: str) -> Any:
    with connected() as connection:
        return load(FETCHED)(connection.client, model, reference)
