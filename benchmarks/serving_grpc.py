"""Calls of ModelInfer over gRPC, as fast as they are answered. Part of serving.py.

    python -m benchmarks.serving_grpc SPEC

SPEC is a JSON file: `address`, `token`, `model`, `requests` (each a list of inputs: `name`, `datatype`,
`shape`, `raw` in base64), `outputs` (names that are asked for), `connections`, `warm_s`, `seconds`, `cores`.
Runs where grpcio and tritonclient are: the messages are made of its definitions, once; what is timed
sends and takes bytes. Each connection is a channel of its own with one call under way. Every call has to
succeed; the first answer to each request is given back decoded (`first`).
"""

from __future__ import annotations

import asyncio
import base64
import struct
import sys
import time
from array import array
from typing import Any

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2

from benchmarks.serving_pace import Spec, paced, read_spec, told

METHOD = "/inference.GRPCInferenceService/ModelInfer"
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
NUMBERS = {"FP32": "f", "FP64": "d", "INT64": "q"}
CONTENTS = {"FP32": "fp32_contents", "FP64": "fp64_contents", "INT64": "int64_contents"}


class Load:
    """The channels, and what they have found so far."""

    def __init__(self, spec: Spec) -> None:
        self._requests = [_message(spec, inputs) for inputs in spec["requests"]]
        token = spec["token"]
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._channels = [
            grpc.aio.insecure_channel(spec["address"], options=OWN_CONNECTION)
            for _ in range(spec["connections"])
        ]
        self._calls = [channel.unary_unary(METHOD) for channel in self._channels]
        self.first: dict[int, bytes] = {}

    async def drive(self, seconds: float) -> array[float]:
        """Keep all channels busy so long."""
        latencies = array("d")
        until = time.perf_counter() + seconds
        every = (self._busy(place, until, latencies) for place in range(len(self._calls)))
        await asyncio.gather(*every)
        return latencies

    async def _busy(self, place: int, until: float, latencies: array[float]) -> None:
        call, number = self._calls[place], place % len(self._requests)
        now = time.perf_counter()
        while now < until:
            answer = await call(self._requests[number], metadata=self._metadata)
            began, now = now, time.perf_counter()
            latencies.append(now - began)
            self.first.setdefault(number, answer)
            number = (number + 1) % len(self._requests)

    async def close(self) -> None:
        """Hang up."""
        for channel in self._channels:
            await channel.close()


def _message(spec: Spec, inputs: list[dict[str, Any]]) -> bytes:
    request = service_pb2.ModelInferRequest(model_name=spec["model"])
    for one in inputs:
        tensor = request.inputs.add(name=one["name"], datatype=one["datatype"])
        tensor.shape.extend(one["shape"])
        request.raw_input_contents.append(base64.b64decode(one["raw"]))
    for name in spec["outputs"]:
        request.outputs.add(name=name)
    serialised: bytes = request.SerializeToString()
    return serialised


def _outputs(answer: bytes) -> list[list[float]]:
    """The numbers of every numeric output, flat."""
    response = service_pb2.ModelInferResponse.FromString(answer)
    found: list[list[float]] = []
    for place, output in enumerate(response.outputs):
        if output.datatype not in NUMBERS:
            continue
        if response.raw_output_contents:
            raw = response.raw_output_contents[place]
            form = struct.Struct("<" + NUMBERS[output.datatype])
            found.append([value for (value,) in form.iter_unpack(raw)])
        else:
            found.append(list(getattr(output.contents, CONTENTS[output.datatype])))
    return found


async def _measured(spec: Spec) -> None:
    load = Load(spec)
    try:
        found = await paced(spec, load.drive)
        first = {str(number): _outputs(one) for number, one in load.first.items()}
    finally:
        await load.close()
    told({**found, "first": first})


def main() -> None:
    """Do as the file says."""
    try:
        asyncio.run(_measured(read_spec()))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"the server answered {error.code()}: {error.details()}")


if __name__ == "__main__":
    main()
