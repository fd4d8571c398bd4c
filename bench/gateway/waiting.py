"""waiting: 10,000 requests of four keys wait on one cold app whose start is held back; then it may start.

What is shown: how much memory one waiting request takes, its connection included; that every one is answered; that two requests of one
key reach the program in the order in which they were sent. The app takes one request at a time, so that the order is seen exactly.
"""
import json
import subprocess
import tempfile
from pathlib import Path

from field import TOOLS, new_serve, pin, tool_command, two_cores
from measuring import progress, row
from serving import wait_until

REQUESTS = 10000
REQUESTS_QUICK = 500
KEYS = 4
ROUNDS = 5
APP = "cold"


def resident_bytes(pid):
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096


def count_waiting(serve):
    return serve.api("GET", f"/apps/{APP}").json["app"]["waiting"]


def one_crowd(count):
    """A platform of its own, so that no memory of an earlier crowd is used again."""
    proxy_core, load_core = two_cores()
    serve = new_serve()
    with tempfile.TemporaryDirectory(prefix="kelvin-bench-") as folder:
        Path(folder).chmod(0o755)
        go, keys = Path(folder) / "go", Path(folder) / "keys"
        try:
            serve.start()
            pin(serve.process.pid, proxy_core)
            secrets = [serve.json("keys", "create", f"client-{number}", "--scope", "invoke")["secret"] for number in range(KEYS)]
            keys.write_text("".join(secret + "\n" for secret in secrets), encoding="ascii")
            serve.deploy(APP, ["./upstream", "--port", "{port}", "--after", str(go)], [TOOLS / "upstream"],
                         scale={"min": 0, "max": 1, "concurrency": 1}, queue={"max": 20000, "wait": "1h"},
                         start={"progress": "1h", "attempts": 1}, park="never")
            command = tool_command("crowd", {"port": serve.port, "host": f"{APP}.localhost", "requests": count, "keys": keys,
                                             "memory_of": serve.process.pid})
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
                pin(crowd.pid, load_core)
                assert crowd.stdout.readline() == "sent\n", "the crowd could not send its requests"
                wait_until(lambda: count_waiting(serve) == count, f"{count} requests wait")
                memory = resident_bytes(serve.process.pid)
                go.touch()
                found = json.loads(crowd.stdout.readline())
        finally:
            serve.destroy()
    return {**found, "bytes_each": (memory - found["memory_before_bytes"]) / count}


def measure(is_quick):
    count = REQUESTS_QUICK if is_quick else REQUESTS
    found = []
    for number in range(1 if is_quick else ROUNDS):
        progress(f"gateway: {count} requests wait, round {number + 1}")
        found.append(one_crowd(count))
    return [row(f"{count} requests waiting on a cold app: memory each, connection included", [f["bytes_each"] / 1024 for f in found], "KiB"),
            row(f"{count} requests waiting on a cold app: not answered with 200", [f["requests"] - f["answered"] for f in found], "requests",
                target=0, value=max(f["requests"] - f["answered"] for f in found)),
            row(f"{count} requests waiting on a cold app: answered before an earlier one of their key", [f["out_of_order"] for f in found],
                "requests", target=0, value=max(f["out_of_order"] for f in found)),
            row(f"{count} requests waiting on a cold app: from the first answer to the last, one at a time",
                [f["first_to_last_s"] for f in found], "s")]
