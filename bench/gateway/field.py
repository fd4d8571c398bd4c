"""field: the machines' roles in this bench, on one machine: the proxies on one core, the clients and the upstream on another.

Every proxy stands before the same process: the replica that Kelvin started, which is this bench's own upstream server. Kelvin reaches
it as the replica of an app, the peers by its port, and `direct` is that port itself.
"""
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import REPOSITORY, build
from peers import Envoy, Haproxy, Nginx, descriptors
from serving import Serve, find_binary, wait_until

APP = "upstream"
TOOLS = REPOSITORY / "build" / "release" / "bench" / "gateway"
CONCURRENCY_MAX = 10000


def install():
    """Everything that only this bench needs."""
    build("gateway_bench_tools", Path(__file__).resolve().parent / "packages.txt")
    raise_descriptor_limit()


def raise_descriptor_limit():
    wanted = int(Path("/proc/sys/fs/nr_open").read_text(encoding="ascii"))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def two_cores():
    """(for the proxy, for everything else): two that share no physical core, where there are such."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        sys.exit("bench: the proxy and the load need a core each; this process may use only one")
    siblings = Path(f"/sys/devices/system/cpu/cpu{allowed[0]}/topology/thread_siblings_list")
    together = cores_in(siblings.read_text(encoding="ascii")) if siblings.exists() else {allowed[0]}
    apart = [core for core in allowed if core not in together]
    return allowed[0], (apart or allowed[1:])[0]


def cores_in(text):
    found = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def pin(pid, core):
    """Gives every thread of the process that core and, where this user may, precedence over what else the machine does: all that is
    measured has the same one. Threads that it makes later inherit both.
    """
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            take_place(int(thread), core)


def take_place(thread, core):
    os.sched_setaffinity(thread, {core})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(1))


def run_tool(name, core, **options):
    """Runs a load tool on that core; what it printed."""
    finished = subprocess.run(tool_command(name, options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              preexec_fn=lambda: take_place(0, core))
    if finished.returncode != 0:
        sys.exit(f"bench: {' '.join(tool_command(name, options))}:\n{finished.stderr}")
    return json.loads(finished.stdout)


def tool_command(name, options):
    given = [str(TOOLS / name)]
    for option, value in options.items():
        if value is not None:
            given += ["--" + option.replace("_", "-"), str(value)]
    return given


class Target:
    """Where requests are sent, and the process whose work it is."""

    def __init__(self, name, port, pid, host="localhost"):
        self.name, self.port, self.pid, self.host = name, port, pid, host


class Field:
    """Kelvin with its replica, and the peers in front of that replica."""

    def __init__(self, peers=(Nginx, Haproxy, Envoy)):
        self.folder = Path(tempfile.mkdtemp(prefix="kelvin-bench-"))
        self.folder.chmod(0o755)
        self.proxy_core, self.load_core = two_cores()
        self.kinds = peers
        self.peers = []
        self.serve = new_serve()
        self.targets = {}

    def __enter__(self):
        try:
            self.serve.start()
            pin(self.serve.process.pid, self.proxy_core)
            replica = deploy_upstream(self.serve)
            pin(replica["pid"], self.load_core)
            self.targets["direct"] = Target("direct", replica["port"], replica["pid"])
            for kind in self.kinds:
                peer = kind(self.folder / kind.name, replica["port"])
                self.peers.append(peer)
                peer.start()
                pin(peer.pid, self.proxy_core)
                self.targets[peer.name] = Target(peer.name, peer.port, peer.pid)
            self.targets["kelvin"] = Target("kelvin", self.serve.port, self.serve.process.pid, f"{APP}.localhost")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.stop()
        self.serve.destroy()
        shutil.rmtree(self.folder, ignore_errors=True)

    def in_turns(self, number, names=None):
        """The targets in the order of round `number`: each round begins with another one."""
        found = [target for name, target in self.targets.items() if names is None or name in names]
        return found[number % len(found):] + found[:number % len(found)]

    def load(self, target, **options):
        return run_tool("load", self.load_core, port=target.port, host=target.host, processor_of=target.pid, **options)

    def streams(self, target, **options):
        return run_tool("streams", self.load_core, port=target.port, host=target.host, memory_of=target.pid, **options)


def new_serve():
    room = max(descriptors() - 500, 100)
    return Serve(find_binary("release"), options=["--loops", "1", "--slots", "4", "--limit", f"connections={room}"])


def deploy_upstream(serve):
    """Deploys the upstream server as an app and returns its replica."""
    serve.deploy(APP, ["./upstream", "--port", "{port}"], [TOOLS / "upstream"], wait=True, park="never",
                 scale={"min": 1, "max": 1, "concurrency": CONCURRENCY_MAX})
    wait_until(lambda: serve.live_replicas(APP), "the upstream has a replica")
    return serve.live_replicas(APP)[0]
