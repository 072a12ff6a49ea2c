"""A server that sends COUNT recorded statuses on its public stream as fast as they are read, one chunk an event, and then ends the
stream. Prints its URL. Runs in a process of its own, so that its CPU time is not counted as the listener's.

    feed.py FRAMES COUNT
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from frames import statuses


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.split("?")[0].startswith("/api/v1/streaming"):
            self._stream()
        else:
            self._answer({"uri": "feed.example", "title": "feed", "version": "4.3.0", "urls": {}})

    def _answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in EVENTS:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def _events(path, count):
    for _, _, status in statuses(path):
        if count == 0:
            return
        count -= 1
        yield b"event: update\ndata: " + json.dumps(status, ensure_ascii=False).encode() + b"\n\n"


if __name__ == "__main__":
    EVENTS = list(_events(sys.argv[1], int(sys.argv[2])))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
