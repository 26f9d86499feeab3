"""The data plane over gRPC; importing its parts needs the extra `grpc`."""
