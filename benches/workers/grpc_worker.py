"""A gRPC worker by hand. It checks no token, limits no calls and knows no SIGTERM, which the others do."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from bucket_brigade_client.v1 import worker_pb2, worker_pb2_grpc
from storage import process


class Worker(worker_pb2_grpc.WorkerServiceServicer):
    def Process(self, request, context):
        file = request.object
        try:
            return worker_pb2.ProcessResponse(summary=process(file.bucket, file.name, file.generation))
        except Exception as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(4))
    worker_pb2_grpc.add_WorkerServiceServicer_to_server(Worker(), server)
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()
