"""coldstart: how long until the first byte, from cold, parked and warm, beside starting the same program by hand.

Two programs: the tiny static HTTP program, whose own start takes next to nothing, so that the difference to the bare
start is the platform's cost; and Gemma 3 270M on llama-server, so that it is seen beside a real one. Each round takes one
sample of every kind, bare and cold in turns first, so that a slow minute of the machine falls on all of them.

First byte: from before the client connects to the first byte of the reply's head. Gemma is asked for a streamed chat
completion, whose head llama-server sends before it has read the prompt. Bare: from before fork to the same byte of the
same request, asking again every 0.2 ms (Gemma: /health every 5 ms) until the program listens.
"""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import REPOSITORY, progress, progress_done, row, worst
from serving import Serve, find_binary, free_port

ROUNDS = 30
ROUNDS_QUICK = 3
PARKED_ABOVE_WARM_MS_MAX = 3.0
QUESTION = b'{"model": "gemma", "stream": true, "max_tokens": 4, "messages": [{"role": "user", "content": "What is heat?"}]}'


def http_request(host, port, path="/", body=b""):
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def first_byte_ms(port, request, began=None):
    """Sends one request on a connection of its own and reads the reply to its end; the time to its first byte."""
    began = began or time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request)
        received = connection.recv(65536)
        took = (time.perf_counter() - began) * 1000
        assert received.startswith(b"HTTP/1.1 200"), received[:900]
        while not is_whole(received) and (block := connection.recv(65536)):
            received += block
    return took


def is_whole(reply):
    """Whether these bytes are a whole reply; not every program closes when asked to."""
    head, end, body = reply.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        return bool(end) and len(body) >= int(length.group(1))
    return body.endswith(b"0\r\n\r\n")


class Tiny:
    name = "tiny"

    def __init__(self, folder):
        self.folder = folder / "tiny"
        shutil.copytree(REPOSITORY / "examples" / "tiny", self.folder)
        self.program = self.folder / "tiny_http"
        subprocess.run([compiler(), "-std=gnu17", "-O2", "-static", REPOSITORY / "tests/programs/tiny_http.c", "-o", self.program],
                       check=True)
        self.request = lambda port: http_request("tiny.localhost", port)

    def bare_ms(self):
        port = free_port()
        began = time.perf_counter()
        process = subprocess.Popen([self.program], env={"PORT": str(port)}, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    return first_byte_ms(port, http_request("localhost", port), began)
                time.sleep(0.0002)
        finally:
            process.kill()
            process.wait()


class Gemma:
    name = "gemma"

    def __init__(self, folder, engine):
        self.folder = folder / "gemma"
        shutil.copytree(REPOSITORY / "examples" / "gemma", self.folder, ignore=shutil.ignore_patterns("*.gguf"))
        self.model = self.folder / "gemma-3-270m-q4_k_m.gguf"
        shutil.copy(engine["KELVIN_GGUF"], self.model)
        self.program = folder / "bin" / "llama-server"
        self.request = lambda port: http_request("127.0.0.1", port, "/v1/chat/completions", QUESTION)

    def bare_ms(self):
        port = free_port()
        command = [self.program, "-m", self.model, "--host", "127.0.0.1", "--port", str(port), "-t", "1", "-c", "2048", "-np", "1",
                   "--no-warmup", "--alias", "gemma", "--jinja", "--chat-template-file", self.folder / "chat.jinja", "--temp", "0",
                   "-r", "\n"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                with contextlib.suppress(ConnectionRefusedError, AssertionError):
                    first_byte_ms(port, http_request("localhost", port, "/health"))
                    return first_byte_ms(port, self.request(port), began)
                time.sleep(0.005)
        finally:
            process.kill()
            process.wait()


def compiler():
    return shutil.which("clang-19") or shutil.which("cc") or sys.exit("bench: no C compiler was found")


def take_round(serve, program, samples):
    """One sample of each kind. The first request to a fresh process is the cold one; the next is warm."""
    request = program.request(serve.port)
    samples["bare"].append(program.bare_ms())
    serve.make_cold(program.name, lambda: serve.cli("deploy", str(program.folder / "kelvin.yaml")))
    samples["cold"].append(first_byte_ms(serve.port, request))
    first_byte_ms(serve.port, request)
    samples["warm"].append(first_byte_ms(serve.port, request))
    serve.park(program.name)
    samples["parked"].append(first_byte_ms(serve.port, request))


def rows_of(program, samples):
    bare, cold, parked, warm = (samples[kind] for kind in ("bare", "cold", "parked", "warm"))
    found = [row(f"{program.name}: first byte from cold", cold, "ms", "started by hand", bare),
             row(f"{program.name}: first byte from parked", parked, "ms", "warm", warm),
             row(f"{program.name}: first byte, warm", warm, "ms")]
    for kind in ("cold", "parked", "warm"):
        name, value = worst(samples[kind])
        found.append(row(f"{program.name}: {name} of first byte, {kind}", samples[kind], "ms", value=value))
    if program.name == "tiny":
        above = [p - w for p, w in zip(parked, warm)]
        found.append(row("tiny: parked above warm (difference of medians)", above, "ms", target=PARKED_ABOVE_WARM_MS_MAX,
                         value=found[1]["value"] - found[2]["value"]))
    return found


def engine_paths():
    printed = subprocess.run([REPOSITORY / "tools" / "engine", "--no-build"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in printed.splitlines())


def measure(is_quick=False):
    rounds = ROUNDS_QUICK if is_quick else ROUNDS
    folder = Path(tempfile.mkdtemp(prefix="kelvin-bench-"))
    folder.chmod(0o755)
    engine = engine_paths()
    (folder / "bin").mkdir()
    shutil.copy(engine["KELVIN_LLAMA_SERVER"], folder / "bin" / "llama-server")
    os.chmod(folder / "bin" / "llama-server", 0o755)
    serve = Serve(find_binary("release"), path_folders=[folder / "bin"])
    rows = []
    try:
        programs = [Tiny(folder)]
        if engine["KELVIN_ENGINE"] == "real":
            programs.append(Gemma(folder, engine))
        else:
            print("bench: Gemma is left out: the engine is not in the cache; ./demo brings it", file=sys.stderr)
        serve.start()
        for program in programs:
            serve.cli("deploy", str(program.folder / "kelvin.yaml"))
            samples = {"bare": [], "cold": [], "parked": [], "warm": []}
            for number in range(rounds):
                progress(f"coldstart: {program.name}, round {number + 1} of {rounds}")
                take_round(serve, program, samples)
            rows += rows_of(program, samples)
    finally:
        progress_done()
        serve.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    return rows
