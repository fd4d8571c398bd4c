"""upgrade: what clients see while the binary is replaced, again and again: failed requests, the longest stall, the bill.

Round after round the platform is upgraded to the other one of two copies of the same binary, under 300 short requests a
second and the streams, uploads and waiting requests of crowd.py, until the process before has ended; then the same time
passes without an upgrade, for comparison. At the end what was billed is computed again from the access log.
"""
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from busy_time import recompute_ms
from measuring import REPOSITORY, progress, progress_done, row, worst
from serving import Serve, find_binary, wait_until

sys.path.insert(0, str(Path(__file__).resolve().parent))

from crowd import Crowd  # noqa: E402  pylint: disable=wrong-import-position

ROUNDS = 20
ROUNDS_QUICK = 2
APPS = ["quick", "long", "queue"]
SHORT = ("kept", "fresh")


def deploy_apps(serve, folder):
    shutil.copytree(REPOSITORY / "examples" / "tiny", folder / "quick")
    compiler = shutil.which("clang-19") or shutil.which("cc") or sys.exit("bench: no C compiler was found")
    subprocess.run([compiler, "-std=gnu17", "-O2", "-static", REPOSITORY / "tests/programs/tiny_http.c", "-o",
                    folder / "quick" / "tiny_http"], check=True)
    file = folder / "quick" / "kelvin.yaml"
    file.write_text("name: quick\ncommand: [./tiny_http]\nscale: {min: 1, max: 1, concurrency: 64}\n", encoding="utf-8")
    serve.cli("deploy", str(file), "--wait")
    serve.deploy_echo("long", scale={"min": 1, "max": 1, "concurrency": 16}, wait=True)
    serve.deploy_echo("queue", scale={"min": 1, "max": 1, "concurrency": 1}, wait=True)


def longest_ms(crowd, begin, end, kinds):
    return max((one.took_ms for one in crowd.between(begin, end, kinds)), default=0.0)


class Samples:
    def __init__(self):
        self.served_ms, self.ended_s, self.failed = [], [], []
        self.stall = {"upgrade": [], "quiet": []}
        self.queued = {"upgrade": [], "quiet": []}
        self.gap = {"upgrade": [], "quiet": []}

    def take(self, crowd, name, begin, end):
        self.stall[name].append(longest_ms(crowd, begin, end, SHORT))
        self.queued[name].append(longest_ms(crowd, begin, end, ("queued",)))
        self.gap[name].append(longest_ms(crowd, begin, end, ("event",)))


def take_round(serve, crowd, binary, samples):
    begin = time.monotonic()
    serve.cli("upgrade", "--binary", str(binary))
    served = time.monotonic()
    wait_until(lambda: serve.api("GET", "/upgrade").json["stage"] == "done", "the process before has ended", patience=120, pause=0.02)
    end = time.monotonic()
    samples.served_ms.append((served - begin) * 1000)
    samples.ended_s.append(end - begin)
    # Replies that are under way belong to the round that held them up.
    time.sleep(1)
    samples.take(crowd, "upgrade", begin, end)
    quiet = time.monotonic()
    time.sleep(end - begin)
    samples.take(crowd, "quiet", quiet, quiet + end - begin)
    time.sleep(0.2)
    failed = [one for one in crowd.between(begin, time.monotonic()) if one.problem]
    for one in failed[:3]:
        print(f"bench: failed: {one}", file=sys.stderr)
    samples.failed.append(len(failed))


def billed_ms_beyond(serve, log):
    """How far the bill is from what the access log says; waits until all usage is there."""
    for app in APPS:
        serve.cli("delete", app, "--yes")
    wait_until(lambda: not [r for r in serve.replicas() if r["state"] != "gone"], "every replica is gone")
    deadline = time.monotonic() + 30
    while True:
        expected = recompute_ms(log.read_text(encoding="utf-8").splitlines())
        billed = {app: serve.usage_ms(app, "busy") for app in APPS}
        beyond = [abs(billed[app] - expected.get(app, 0)) for app in APPS]
        if sum(beyond) == 0 or time.monotonic() > deadline:
            return beyond, sum(billed.values())
        time.sleep(1)


def rows_of(samples, crowd, beyond, billed):
    requests = [one for one in crowd.seen if one.kind != "event"]
    name, value = worst([one.took_ms for one in requests if one.kind in SHORT])
    return [
        row("failed requests", samples.failed, "requests", target=0, value=sum(samples.failed)),
        row(f"billed apart from the access log, of {billed:,} ms", beyond, "ms", target=0, value=sum(beyond)),
        row("requests in all", [len(requests)], "requests"),
        row("longest time of a short request during an upgrade", samples.stall["upgrade"], "ms", "no upgrade", samples.stall["quiet"]),
        row("the longest of those", samples.stall["upgrade"], "ms", "no upgrade", [max(samples.stall["quiet"])],
            value=max(samples.stall["upgrade"])),
        row(f"{name} of all short requests", [one.took_ms for one in requests if one.kind in SHORT], "ms", value=value),
        row("longest time of a request (50 ms) that two others wait with for one slot", samples.queued["upgrade"], "ms", "no upgrade",
            samples.queued["quiet"]),
        row("longest time between two events of a stream (100 ms apart)", samples.gap["upgrade"], "ms", "no upgrade",
            samples.gap["quiet"]),
        row("until the other binary serves", samples.served_ms, "ms"),
        row("until the process before has ended", samples.ended_s, "s"),
    ]


def measure(is_quick=False):
    rounds = ROUNDS_QUICK if is_quick else ROUNDS
    folder = Path(tempfile.mkdtemp(prefix="kelvin-bench-"))
    folder.chmod(0o755)
    binary = find_binary("release")
    copies = [folder / "kelvin-a", folder / "kelvin-b"]
    for copy in copies:
        shutil.copy(binary, copy)
        copy.chmod(0o755)
    log = folder / "access.log"
    serve = Serve(copies[0], options=["--access-log", str(log), "--access-log-mib", "0", "--slots", "4"])
    samples = Samples()
    try:
        serve.start()
        deploy_apps(serve, folder)
        with Crowd(serve.port) as crowd:
            time.sleep(1)
            for number in range(rounds):
                progress(f"upgrade: round {number + 1} of {rounds}")
                take_round(serve, crowd, copies[(number + 1) % 2], samples)
        beyond, billed = billed_ms_beyond(serve, log)
    finally:
        progress_done()
        serve.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    return rows_of(samples, crowd, beyond, billed)
