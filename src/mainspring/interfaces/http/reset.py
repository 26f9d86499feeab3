"""The one route that only a server for tests has: it forgets everything."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainspring.administration import contract
from mainspring.core.errors import Forbidden
from mainspring.interfaces.http.answer import as_json
from mainspring.interfaces.http.caller import caller_of
from mainspring.interfaces.http.front import Served
from mainspring.interfaces.http.household import Household

PATH = "/testing/reset"


def reset_route(served: Served) -> Route:
    """Empty the store between two tests; for the home's owner and administrators."""
    reset, household = served.reset, Household()
    assert reset is not None

    async def endpoint(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        if not household.is_at_home(request.scope, headers):
            caller = await caller_of(request, served.sign_in)
            args = (contract.whoami, contract.Nothing(), caller)
            known = await run_in_threadpool(served.perform, *args)
            if "admin" not in known.permissions:
                raise Forbidden(
                    f"{known.name!r} may not empty the store: it takes an administrator"
                )
        await run_in_threadpool(reset)
        return as_json({})

    return Route(PATH, endpoint, methods=["POST"])
