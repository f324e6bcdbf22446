"""A server that answers in HTTP/2 frames of the test's own choice: what a front end, or a broken wire, can do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import h2.config
import h2.connection
import h2.events

# Answers one request; True hangs up after it.
Answer = Callable[[h2.connection.H2Connection, int], bool]

GRPC = [(":status", "200"), ("content-type", "application/grpc")]


def page(status: int) -> Answer:
    """A page of a front end."""

    def answer(connection: h2.connection.H2Connection, stream: int) -> bool:
        connection.send_headers(stream, [(":status", str(status)), ("content-type", "text/html")])
        connection.send_data(stream, b"<html>", end_stream=True)
        return False

    return answer


def status(code: int, message: str = "its own words") -> Answer:
    """A gRPC status, in trailers after headers."""

    def answer(connection: h2.connection.H2Connection, stream: int) -> bool:
        connection.send_headers(stream, GRPC)
        connection.send_headers(stream, [("grpc-status", str(code)), ("grpc-message", message)], end_stream=True)
        return False

    return answer


def no_status(connection: h2.connection.H2Connection, stream: int) -> bool:
    """Ends as if all were well, and has no status."""
    connection.send_headers(stream, GRPC, end_stream=True)
    return False


def cut_message(connection: h2.connection.H2Connection, stream: int) -> bool:
    """Ends in the middle of a message."""
    connection.send_headers(stream, GRPC)
    connection.send_data(stream, b"\0\0\0\0\x09ab", end_stream=True)
    return False


def reset(connection: h2.connection.H2Connection, stream: int) -> bool:
    """INTERNAL_ERROR in HTTP/2's words."""
    connection.send_headers(stream, GRPC)
    connection.reset_stream(stream, 2)
    return False


def hang_up(connection: h2.connection.H2Connection, stream: int) -> bool:
    """Closes the connection after the headers."""
    connection.send_headers(stream, GRPC)
    return True


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The URL of a server that answers each request so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, answer), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=_serve, args=(peer, answer), daemon=True).start()


def _serve(peer: socket.socket, answer: Answer) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    with contextlib.suppress(OSError), peer:
        peer.sendall(connection.data_to_send())
        while data := peer.recv(65_536):
            ended = [e for e in connection.receive_data(data) if isinstance(e, h2.events.StreamEnded)]
            # The answers first, whatever comes after them.
            hangs_up = [answer(connection, event.stream_id) for event in ended]
            peer.sendall(connection.data_to_send())
            if any(hangs_up):
                peer.shutdown(socket.SHUT_RDWR)
                return
