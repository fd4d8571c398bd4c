"""instructions: user-space instructions per request of Kelvin and nginx, counted by callgrind.

Each proxy serves a smaller and a larger number of requests; the difference of the two counts, divided by the difference of the
numbers, holds nothing of the start or of the connecting. Callgrind counts the same on every machine and under every load, so
one run is enough. The kernel's share is not in it: it is in the processor seconds of the other rows.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

from field import APP, deploy_upstream, new_serve, run_tool, two_cores
from measuring import row
from peers import NginxAlone, program

FEWER = 2000
MORE = 12000
CONNECTIONS = 32


def callgrind(folder):
    return [program("valgrind"), "--tool=callgrind", "--quiet", f"--callgrind-out-file={folder}/callgrind.%p"]


def counted(folder, pid, load):
    """Instructions that the process needs while `load` runs."""
    def control(option):
        subprocess.run([program("callgrind_control"), option, str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    before = set(Path(folder).glob(f"callgrind.{pid}.*"))
    control("--zero")
    requests = load()["requests"]
    control("--dump")
    found = set(Path(folder).glob(f"callgrind.{pid}.*")) - before
    total = re.search(r"(?m)^totals: (\d+)", found.pop().read_text(encoding="utf-8", errors="replace")) if found else None
    if total is None:
        sys.exit(f"bench: callgrind wrote no count for process {pid}")
    return int(total.group(1)), requests


def per_request(folder, target, core, numbers):
    port, host, pid = target
    def load(number):
        return run_tool("load", core, port=port, host=host, connections=CONNECTIONS, requests=number, warm_up=0, seconds=3600)
    load(numbers[0])  # warms caches, allocators and the proxy's connections
    (few, few_requests), (many, many_requests) = (counted(folder, pid, lambda n=number: load(n)) for number in numbers)
    return (many - few) / (many_requests - few_requests)


def wrapped_binary(folder, binary):
    """A program called kelvin that runs the given one under callgrind. Valgrind 3.19 cannot read what clang-19 writes about
    source lines, so that is left out of the copy.
    """
    plain = folder / "plain"
    plain.mkdir()
    subprocess.run(["llvm-strip-19", "--strip-debug", "-o", plain / "kelvin", binary], check=True)
    script = folder / "kelvin"
    script.write_text(f'#!/bin/sh\nexec {" ".join(callgrind(folder))} {plain}/kelvin "$@"\n', encoding="ascii")
    script.chmod(0o755)
    return script


def measure(folder, is_quick):
    numbers = (FEWER // 10, MORE // 10) if is_quick else (FEWER, MORE)
    folder = Path(folder)
    _, load_core = two_cores()
    serve = new_serve()
    real = serve.binary
    serve.binary = wrapped_binary(folder, real)
    peer = None
    try:
        serve.start()
        serve.binary = real
        upstream = deploy_upstream(serve)
        ours = per_request(folder, (serve.port, f"{APP}.localhost", serve.process.pid), load_core, numbers)
        peer = NginxAlone(folder / "nginx", upstream["port"])
        peer.start(wrapper=callgrind(folder))
        theirs = per_request(folder, (peer.port, "localhost", peer.pid), load_core, numbers)
    finally:
        if peer:
            peer.stop()
        serve.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    return [row(f"small replies, {CONNECTIONS} connections: user-space instructions per request", [ours], "instructions", "nginx",
                [theirs])]
