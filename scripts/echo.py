#!/usr/bin/env python3
"""The demo's upstream: answers every request with what it received, as JSON. Standard library only.

usage: echo.py PORT PORT_FILE    listens on loopback; PORT 0 is any; the port it got is written to PORT_FILE

A request's header `x-want-status` chooses the answer's status.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "echo"

    def __getattr__(self, name):
        if name.startswith("do_"):  # do_GET, do_POST, whatever came
            return self.answer
        raise AttributeError(name)

    def answer(self):
        received = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): ", ".join(self.headers.get_all(name)) for name in self.headers},
            "body": self.body().decode("utf-8", "replace"),
        }
        content = (json.dumps(received, indent=2, ensure_ascii=False) + "\n").encode()
        wanted = self.headers.get("x-want-status", "")
        self.send_response(int(wanted) if wanted.isdigit() and 200 <= int(wanted) <= 599 else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def body(self):
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(chunks)

    def log_message(self, form, *values):
        print(form % values, flush=True)


def main():
    port, port_file = int(sys.argv[1]), sys.argv[2]
    server = ThreadingHTTPServer(("127.0.0.1", port), Echo)
    server.daemon_threads = True
    with open(port_file + ".part", "w", encoding="ascii") as file:
        file.write(str(server.server_port))
    os.rename(port_file + ".part", port_file)  # whoever waits for the file reads all of it
    server.serve_forever()


if __name__ == "__main__":
    main()
