"""A web server on 127.0.0.1 that misbehaves on request."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves `routes`: path -> function of the request handler. `hits` counts the requests."""

    def __init__(self) -> None:
        self.routes: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.hits: Counter[str] = Counter()
        self.release = threading.Event()  # ends every stall
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hits[self.path] += 1
                route = server.routes.get(self.path)
                # A client that gives up closes the connection.
                with contextlib.suppress(ConnectionError):
                    route(self) if route else self.send_error(404)

            def log_message(self, *arguments: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._http.server_port}{path}"

    def close(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()

    def serve(self, path: str, body: bytes) -> str:
        self.routes[path] = lambda request: _answer(request, body, len(body))
        return self.url(path)

    def cut_short(self, path: str, body: bytes) -> str:
        self.routes[path] = lambda request: _answer(request, body[: len(body) // 2], len(body))
        return self.url(path)

    def stall(self, path: str, body: bytes) -> str:
        """Send half of the body, then nothing."""

        def route(request: BaseHTTPRequestHandler) -> None:
            _answer(request, body[: len(body) // 2], len(body))
            request.wfile.flush()
            self.release.wait(30)

        self.routes[path] = route
        return self.url(path)

    def fail_first(self, path: str, body: bytes, status: int = 503) -> str:
        def route(request: BaseHTTPRequestHandler) -> None:
            if self.hits[path] == 1:
                request.send_error(status)
            else:
                _answer(request, body, len(body))

        self.routes[path] = route
        return self.url(path)

    def serve_together(self, path: str, body: bytes, n: int) -> str:
        """Answer only once `n` clients wait, so that their downloads overlap."""
        barrier = threading.Barrier(n)

        def route(request: BaseHTTPRequestHandler) -> None:
            barrier.wait(60)
            _answer(request, body, len(body))

        self.routes[path] = route
        return self.url(path)


def _answer(request: BaseHTTPRequestHandler, body: bytes, length: int) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/octet-stream")
    request.send_header("Content-Length", str(length))
    request.end_headers()
    request.wfile.write(body)
