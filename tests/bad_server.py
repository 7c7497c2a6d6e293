"""A server on the loopback interface that fails, stalls, cuts short and lies as it is told."""

from __future__ import annotations

import base64
import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BadServer:
    """What it has, how it behaves, and what it was asked.

    ``files``: path -> bytes. ``faults``: path -> what to do wrong, one for each request in turn;
    further requests are answered well. ``always``: path -> a fault that never ends. ``waits_for``:
    how many requests have to be there at once before the first is answered.
    """

    def __init__(self):
        self.files = {}
        self.faults = {}
        self.always = {}
        self.requests = []
        self.etag = True
        self.ranges = True
        self.told_md5 = {}
        self.url = ""
        self.over = threading.Event()
        self.busy = self.busiest = 0
        self.waits_for = 1
        self.enough = threading.Event()
        self.lock = threading.Lock()

    def asked(self, path):
        """The Range headers of the requests for a path."""
        return [headers.get("Range") for asked, headers in self.requests if asked == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server.bad
        with server.lock:
            server.requests.append((self.path, dict(self.headers)))
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            if server.busy >= server.waits_for:
                server.enough.set()
            faults = server.faults.get(self.path)
            fault = faults.pop(0) if faults else server.always.get(self.path)
        server.enough.wait(10)
        try:
            self.close_connection = True
            self.answer(server, fault)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with server.lock:
                server.busy -= 1

    def answer(self, server, fault):
        data = server.files.get(self.path)
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Content-Length", "0")
            if fault == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            return
        if data is None:
            self.send_error(404)
            return
        if fault == "hang up":
            return
        if fault == "say nothing":
            server.over.wait(10)
            return
        if fault == "redirect":
            self.send_response(302)
            self.send_header("Location", self.path + ".moved")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "redirect to a file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_file(server, data, fault)

    def send_file(self, server, data, fault):
        if fault == "other bytes":
            data = bytes(255 - byte for byte in data)
        if fault == "another length":
            data = data + b"more"
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        start = 0
        asked = self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        shown = 0 if fault == "another range" else start
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}")
        length = len(data) - start
        length = {"promise more": length + 1000, "promise less": length // 2}.get(fault, length)
        if fault != "no length":
            self.send_header("Content-Length", str(length))
        if server.etag:
            self.send_header("ETag", tag)
        if self.path in server.told_md5:
            told = base64.b64encode(bytes.fromhex(server.told_md5[self.path])).decode()
            self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={told}")
        if fault == "pack":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        body = data[start:]
        if fault in ("cut short", "stall"):
            body = body[: len(body) // 2]
        if fault == "trickle":
            for byte in body:
                self.wfile.write(bytes([byte]))
                if server.over.wait(0.05):
                    return
        self.wfile.write(body)
        self.wfile.flush()
        if fault == "stall":
            server.over.wait(10)


@contextmanager
def bad_server():
    """Runs one until the block ends."""
    bad = BadServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.bad = bad
    bad.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield bad
    finally:
        bad.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
