"""The messages and services that are spoken over gRPC, by name, number and type.

The numbers are those of kserve/open-inference-protocol (open_inference_grpc.proto), of
triton-inference-server/common (grpc_service.proto), of MLServer (model_repository.proto) and of
grpc/grpc-proto (health.proto, reflection.proto).

A field is `name=number:type`. `*` before its name means several, `a|b` a choice of one among those
that have the same word before the `|`, and the type `{T}` a map from text to T. A type in capitals is
a message of the same file; a dotted name is nested in what stands before the dot.
"""

from __future__ import annotations

from typing import NamedTuple

INFERENCE = "inference.GRPCInferenceService"
REPOSITORY = "inference.model_repository.ModelRepositoryService"
HEALTH = "grpc.health.v1.Health"
REFLECTIONS = (
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)


class File(NamedTuple):
    """One file of definitions: its messages with their fields, and its service."""

    name: str
    package: str
    messages: dict[str, str]
    service: str
    methods: dict[str, str]
    """The request and the response of each; `*` before one means a stream of them."""
    enums: dict[str, str]
    """The words of each, from 0 on."""


TENSOR = (
    "name=1:string datatype=2:string *shape=3:int64 parameters=4:{InferParameter} "
    "contents=5:InferTensorContents"
)

_INFERENCE = File(
    "open_inference_grpc.proto",
    "inference",
    {
        "ServerLiveRequest": "",
        "ServerLiveResponse": "live=1:bool",
        "ServerReadyRequest": "",
        "ServerReadyResponse": "ready=1:bool",
        "ModelReadyRequest": "name=1:string version=2:string",
        "ModelReadyResponse": "ready=1:bool",
        "ServerMetadataRequest": "",
        "ServerMetadataResponse": "name=1:string version=2:string *extensions=3:string",
        "ModelMetadataRequest": "name=1:string version=2:string",
        "ModelMetadataResponse": "name=1:string *versions=2:string platform=3:string "
        "*inputs=4:ModelMetadataResponse.TensorMetadata "
        "*outputs=5:ModelMetadataResponse.TensorMetadata properties=6:{string}",
        "ModelMetadataResponse.TensorMetadata": "name=1:string datatype=2:string *shape=3:int64",
        "InferParameter": "parameter_choice|bool_param=1:bool parameter_choice|int64_param=2:int64 "
        "parameter_choice|string_param=3:string parameter_choice|double_param=4:double "
        "parameter_choice|uint64_param=5:uint64",
        "InferTensorContents": "*bool_contents=1:bool *int_contents=2:int32 "
        "*int64_contents=3:int64 *uint_contents=4:uint32 *uint64_contents=5:uint64 "
        "*fp32_contents=6:float *fp64_contents=7:double *bytes_contents=8:bytes",
        "ModelInferRequest": "model_name=1:string model_version=2:string id=3:string "
        "parameters=4:{InferParameter} *inputs=5:ModelInferRequest.InferInputTensor "
        "*outputs=6:ModelInferRequest.InferRequestedOutputTensor *raw_input_contents=7:bytes",
        "ModelInferRequest.InferInputTensor": TENSOR,
        "ModelInferRequest.InferRequestedOutputTensor": "name=1:string "
        "parameters=2:{InferParameter}",
        "ModelInferResponse": "model_name=1:string model_version=2:string id=3:string "
        "parameters=4:{InferParameter} *outputs=5:ModelInferResponse.InferOutputTensor "
        "*raw_output_contents=6:bytes",
        "ModelInferResponse.InferOutputTensor": TENSOR,
        "ModelStreamInferResponse": "error_message=1:string infer_response=2:ModelInferResponse",
        "ModelStatisticsRequest": "name=1:string version=2:string",
        "ModelStatisticsResponse": "*model_stats=1:ModelStatistics",
        "ModelStatistics": "name=1:string version=2:string last_inference=3:uint64 "
        "inference_count=4:uint64 execution_count=5:uint64 inference_stats=6:InferStatistics",
        "InferStatistics": "success=1:StatisticDuration fail=2:StatisticDuration "
        "queue=3:StatisticDuration compute_input=4:StatisticDuration "
        "compute_infer=5:StatisticDuration compute_output=6:StatisticDuration",
        "StatisticDuration": "count=1:uint64 ns=2:uint64",
        "ModelRepositoryParameter": "parameter_choice|bool_param=1:bool "
        "parameter_choice|int64_param=2:int64 parameter_choice|string_param=3:string "
        "parameter_choice|bytes_param=4:bytes",
        "RepositoryIndexRequest": "repository_name=1:string ready=2:bool",
        "RepositoryIndexResponse": "*models=1:RepositoryIndexResponse.ModelIndex",
        "RepositoryIndexResponse.ModelIndex": "name=1:string version=2:string state=3:string "
        "reason=4:string",
        "RepositoryModelLoadRequest": "repository_name=1:string model_name=2:string "
        "parameters=3:{ModelRepositoryParameter}",
        "RepositoryModelLoadResponse": "",
        "RepositoryModelUnloadRequest": "repository_name=1:string model_name=2:string "
        "parameters=3:{ModelRepositoryParameter}",
        "RepositoryModelUnloadResponse": "",
    },
    "GRPCInferenceService",
    {
        "ServerLive": "ServerLiveRequest ServerLiveResponse",
        "ServerReady": "ServerReadyRequest ServerReadyResponse",
        "ModelReady": "ModelReadyRequest ModelReadyResponse",
        "ServerMetadata": "ServerMetadataRequest ServerMetadataResponse",
        "ModelMetadata": "ModelMetadataRequest ModelMetadataResponse",
        "ModelInfer": "ModelInferRequest ModelInferResponse",
        "ModelStreamInfer": "*ModelInferRequest *ModelStreamInferResponse",
        "ModelStatistics": "ModelStatisticsRequest ModelStatisticsResponse",
        "RepositoryIndex": "RepositoryIndexRequest RepositoryIndexResponse",
        "RepositoryModelLoad": "RepositoryModelLoadRequest RepositoryModelLoadResponse",
        "RepositoryModelUnload": "RepositoryModelUnloadRequest RepositoryModelUnloadResponse",
    },
    {},
)

_REPOSITORY = File(
    "model_repository.proto",
    "inference.model_repository",
    {
        name: fields.replace(" parameters=3:{ModelRepositoryParameter}", "")
        for name, fields in _INFERENCE.messages.items()
        if name.startswith("Repository")
    },
    "ModelRepositoryService",
    {name: ends for name, ends in _INFERENCE.methods.items() if name.startswith("Repository")},
    {},
)

_HEALTH = File(
    "grpc/health/v1/health.proto",
    "grpc.health.v1",
    {
        "HealthCheckRequest": "service=1:string",
        "HealthCheckResponse": "status=1:enum:HealthCheckResponse.ServingStatus",
    },
    "Health",
    {
        "Check": "HealthCheckRequest HealthCheckResponse",
        "Watch": "HealthCheckRequest *HealthCheckResponse",
    },
    {"HealthCheckResponse.ServingStatus": "UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN"},
)


def _reflection(version: str) -> File:
    return File(
        f"grpc/reflection/{version}/reflection.proto",
        f"grpc.reflection.{version}",
        {
            "ServerReflectionRequest": "host=1:string message_request|file_by_filename=3:string "
            "message_request|file_containing_symbol=4:string "
            "message_request|file_containing_extension=5:ExtensionRequest "
            "message_request|all_extension_numbers_of_type=6:string "
            "message_request|list_services=7:string",
            "ExtensionRequest": "containing_type=1:string extension_number=2:int32",
            "ServerReflectionResponse": "valid_host=1:string "
            "original_request=2:ServerReflectionRequest "
            "message_response|file_descriptor_response=4:FileDescriptorResponse "
            "message_response|all_extension_numbers_response=5:ExtensionNumberResponse "
            "message_response|list_services_response=6:ListServiceResponse "
            "message_response|error_response=7:ErrorResponse",
            "FileDescriptorResponse": "*file_descriptor_proto=1:bytes",
            "ExtensionNumberResponse": "base_type_name=1:string *extension_number=2:int32",
            "ListServiceResponse": "*service=1:ServiceResponse",
            "ServiceResponse": "name=1:string",
            "ErrorResponse": "error_code=1:int32 error_message=2:string",
        },
        "ServerReflection",
        {"ServerReflectionInfo": "*ServerReflectionRequest *ServerReflectionResponse"},
        {},
    )


FILES = (_INFERENCE, _REPOSITORY, _HEALTH, _reflection("v1"), _reflection("v1alpha"))
