"""What clients ask of a server before they sign in."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse, Response

from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route, whole

LEVEL = "3.17.2"
"""The MLflow release whose clients are tried against this server."""


@whole("GET", "/version", Params, open=True)
def version(call: Call, params: Params) -> Response:
    """The MLflow level that this server meets."""
    return PlainTextResponse(LEVEL)


@route("GET", "3.0/mlflow/server-info", Params, open=True)
def server_info(call: Call, params: Params) -> dict[str, Any]:
    """What is possible here."""
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": True,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": True,
        "multipart_downloads_enabled": False,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
    }
