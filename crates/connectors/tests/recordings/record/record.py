"""Runs every SDK against a double of its vendor and writes down what it sent.

    python3 record.py [--sdks FOLDER] [--only VENDOR ...] [--install-only]

Installs what is missing into FOLDER, by default one in the user's cache. Needs node, npm, pip.
"""

import argparse
import base64
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from credentials import CREDENTIALS
from replies import REPLIES

HERE = pathlib.Path(__file__).parent
PORT = 8460  # fixed, since signatures cover it
KEPT = re.compile(
    r"authorization|content-(type|encoding|length|md5)|host|idempotency-key|transfer-encoding"
    r"|amz-sdk-.*|expect|revision|x-amz-.*|x-postmark-.*|x-braze-.*|on-behalf-of"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cache = pathlib.Path.home() / ".cache" / "cordon-sdks"
    parser.add_argument("--sdks", type=pathlib.Path, default=cache, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", default=[], metavar="VENDOR")
    parser.add_argument("--install-only", action="store_true")
    options = parser.parse_args()
    install(options.sdks)
    if options.install_only:
        return
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Double)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for vendor in options.only or CREDENTIALS:
        server.vendor, server.held, server.written = vendor, [], 0
        folder = HERE.parent / vendor
        for old in folder.glob("*.json"):
            old.unlink()
        for script in [HERE / f"{vendor}.mjs", HERE / f"{vendor}_sdk.py"]:
            if script.exists():
                run(script, options.sdks, CREDENTIALS[vendor])
        print(f"{vendor}: {server.written} recorded")


def install(sdks):
    """Installs what is missing, one process at a time."""
    sdks.mkdir(parents=True, exist_ok=True)
    lock = (sdks / "install.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lists = [HERE / "package.json", HERE / "requirements.txt"]
    wanted, stamp = b"".join(one.read_bytes() for one in lists), sdks / "installed"
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    (sdks / "package.json").write_bytes(lists[0].read_bytes())
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    subprocess.run([*npm, "--prefix", sdks], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*pip, "--target", sdks / "py", "--requirement", lists[1]], check=True)
    stamp.write_bytes(wanted)


def run(script, sdks, credentials):
    program = "node" if script.suffix == ".mjs" else sys.executable
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(sdks),
        "CORDON_SDK_DIR": str(sdks),
        "CORDON_GATEWAY": f"http://127.0.0.1:{PORT}",
        "CORDON_CAPTURE": f"http://127.0.0.1:{PORT}",
        "PYTHONPATH": str(sdks / "py"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **credentials,
    }
    subprocess.run([program, script], env=environment, check=True)


class Double(BaseHTTPRequestHandler):
    """Answers as the vendor documents it, and keeps the request until the script names it."""

    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.body()
        if self.path == "/recorded":
            return self.name(json.loads(body))
        request = self.request_of(body)
        status, headers, text = answer(self.server.vendor, request)
        reply = {"status": status, "headers": headers, "body": text}
        self.server.held.append((request, reply))
        return self.reply(status, headers, text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    def request_of(self, body):
        base = f"/v/{self.server.vendor}"
        path, _, query = self.path.partition("?")
        assert path.startswith(base), f"the base URL was lost: {self.path}"
        names = sorted({name.lower() for name in self.headers})
        headers = {
            name: ", ".join(self.headers.get_all(name)) for name in names if KEPT.fullmatch(name)
        }
        request = {"method": self.command, "base": f"http://127.0.0.1:{PORT}{base}"}
        request |= {"path": path.removeprefix(base), "query": query, "headers": headers}
        try:
            return request | {"body": body.decode()}
        except UnicodeDecodeError:
            return request | {"body_base64": base64.b64encode(body).decode()}

    def name(self, said):
        held, self.server.held = self.server.held, []
        if len(held) != 1:
            return self.reply(400, {}, f"{said['case']}: {len(held)} requests instead of one")
        (request, reply), case = held[0], said.pop("case")
        whole = {"sdk": said["sdk"], "request": request, "discloses": said["discloses"]}
        folder = HERE.parent / self.server.vendor
        folder.mkdir(exist_ok=True)
        text = json.dumps(whole | {"reply": reply}, indent=2, ensure_ascii=False)
        (folder / f"{case}.json").write_text(text + "\n")
        self.server.written += 1
        return self.reply(200, {}, "")

    def reply(self, status, headers, text):
        body = text.encode()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *_):
        pass


def answer(vendor, request):
    """The status, headers and body of the vendor's documented reply."""
    for method, path, status, headers, body in REPLIES[vendor]:
        if re.fullmatch(method, request["method"]) and re.fullmatch(path, request["path"]):
            if isinstance(body, str):
                return status, headers, body
            return status, {"content-type": "application/json"} | headers, json.dumps(body)
    raise AssertionError(f"no reply for {request['method']} {request['path']}")


main()
