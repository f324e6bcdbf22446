"""A worker by grpcio without generated code. What it does with a file is in the file's name."""

import os
import signal
import threading
import time
from concurrent import futures

import grpc

# Longer than the connection may live, or the server may take to stop.
LONG = 8
AGE = [("grpc.max_connection_age_ms", 1000), ("grpc.max_connection_age_grace_ms", 500)]
# The first PING that comes with a call in flight and no data since the one before it closes the connection.
NO_PINGS = [("grpc.http2.min_recv_ping_interval_without_data_ms", 3_600_000), ("grpc.http2.max_ping_strikes", 1)]
COMPRESSION = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
OPTIONS = {"age": AGE, "no pings": NO_PINGS}


class Worker(grpc.GenericRpcHandler):
    def __init__(self):
        # `age`, `no pings`, `gzip` or `deflate`; or at the first long call `restart` or `exit`.
        self.mode = os.environ.get("MODE", "")
        self.seen, self.server = set(), None
        self.start()

    def start(self):
        options, compression = OPTIONS.get(self.mode, []), COMPRESSION.get(self.mode)
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=options, compression=compression)
        self.server.add_generic_rpc_handlers((self,))
        self.server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
        self.server.start()

    def stop(self):
        time.sleep(0.5)
        self.server.stop(grace=0.2).wait()
        if self.mode == "exit":
            # What it has sent arrives first.
            time.sleep(0.5)
            os._exit(0)
        self.start()

    def service(self, details):
        if details.method.endswith("/Process"):
            return grpc.unary_unary_rpc_method_handler(self.process, lambda data: data, lambda data: data)
        return None

    def process(self, request, context):
        # The object's name is in the message as it is.
        if b"needs-no-token" in request and "authorization" in dict(context.invocation_metadata()):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "there is a token")
        if b"refused" in request:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "line 2")
        if b"compressible" in request:
            # `summary` of 2,000 bytes.
            return b"\x0a\xd0\x0f" + b"x" * 2000
        if b"long-message" in request:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "x" * 66_000)
        if b"long-emoji" in request:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "\N{GRINNING FACE}" * 66_000)
        if b"unknown-kind" in request:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no reader for this kind of file")
        if b"not-allowed" in request:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "this file is another team's")
        if b"long-answer" in request:
            # `summary`, field 1: the tag, the length 70,000 as a varint, the text.
            return b"\x0a\xf0\xa2\x04" + b"x" * 70_000
        if b"bug" in request:
            raise NameError("name 'pandas' is not defined")
        if b"takes-all-memory" in request:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"lasts" in request:
            time.sleep(5)
        if b"outlives" in request and self.mode and "outlives" not in self.seen:
            self.seen.add("outlives")
            if self.mode in ("restart", "exit"):
                threading.Thread(target=self.stop).start()
            time.sleep(LONG)
        return b""


if __name__ == "__main__":
    Worker()
    threading.Event().wait()
