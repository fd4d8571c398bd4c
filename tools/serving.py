"""serving: starts `kelvin serve` on a free port, speaks to it as programs and people do, and leaves nothing behind. The
tests, the benches and the demo share it.
"""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAMS = REPOSITORY / "tests" / "programs"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Sanitized binaries on two busy cores are slow; these bounds only end tests that would hang.
PATIENCE_S = 60


def find_binary(*presets):
    """KELVIN_BIN, else the first of these build trees that holds the binary."""
    named = os.environ.get("KELVIN_BIN")
    for candidate in [named] if named else [REPOSITORY / "build" / preset / "kelvin" for preset in presets]:
        if Path(candidate).exists():
            return Path(candidate).resolve()
    raise FileNotFoundError(f"no kelvin binary: build with `cmake --build --preset {presets[0]}`, or set KELVIN_BIN")


def wait_until(condition, what, patience=PATIENCE_S, pause=0.05):
    """Returns the first true value of condition(); fails with `what` and the last value when none comes."""
    until = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {patience} s: {what}; last value: {value!r}")
        time.sleep(pause)


class Reply(NamedTuple):
    status: int
    headers: dict   # names in lower case
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_with(text):
    """(pid, command line) of every process whose command line or environment's data folder holds `text`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in command and "pytest" not in command:
                found.append((int(folder.name), command.strip()))
    return found


class Serve:
    """One platform on a data folder of its own."""

    def __init__(self, binary, data=None, options=(), path_folders=()):
        self.binary = Path(binary)
        self.is_own_folder = data is None
        self.data = Path(data or tempfile.mkdtemp(prefix="kelvin-test-"))
        self.data.chmod(0o711)  # replicas run under users of their own and must reach their folders
        self.options = list(options)
        self.path = ":".join([str(f) for f in path_folders] + [SYSTEM_PATH])
        self.process = None
        self.port = free_port()
        self.log_path = self.data.parent / (self.data.name + ".serve.log")

    # --- life ---------------------------------------------------------------------------------------------------

    @property
    def environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KELVIN_")}
        return {**kept, "PATH": self.path, "KELVIN_DATA": str(self.data), "NO_COLOR": "1",
                "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.data, *self.options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)
        if wait:
            wait_until(self.is_ready_or_dead, "serve answers on /readyz")
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.log()}")

    def is_ready_or_dead(self):
        if self.process.poll() is not None:
            return True
        try:
            return self.get("/readyz", timeout=2).status == 200
        except OSError:
            return False

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self, patience=PATIENCE_S):
        """SIGTERM, as an operator would; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def platform_pid(self):
        """Of the process that has control: another one after an upgrade. None when there is none."""
        with contextlib.suppress(OSError, ValueError):
            pid = json.loads((self.data / "serve.json").read_text())["pid"]
            return None if is_zombie(pid) else pid
        return None

    def keeper_pid(self):
        found = [pid for pid, command in processes_with(str(self.data)) if f"{self.binary.name} keeper" in command]
        return found[0] if found else None

    def kill_keeper(self):
        pid = wait_until(self.keeper_pid, "there is a keeper to kill")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists() or is_zombie(pid), "the keeper is dead")
        return pid

    def destroy(self):
        """Ends everything that runs on this data folder, whatever state it is in."""
        pids = self.replica_pids()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        successor = self.platform_pid()
        if successor:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                os.kill(successor, signal.SIGTERM)
                wait_until(lambda: is_zombie(successor), "the platform ends", patience=30)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.keeper_pid(), "the keeper ends by itself", patience=5)
        leftovers = [pid for pid, _ in processes_with(str(self.data))] + [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        for pid in leftovers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if self.is_own_folder:
            shutil.rmtree(self.data, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.log_path.unlink()

    def replica_pids(self):
        if self.platform_pid() is None:
            return []
        with contextlib.suppress(Exception):
            return [r["pid"] for r in self.replicas() if r["pid"]]
        return []

    # --- as a program -------------------------------------------------------------------------------------------

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def request(self, method, path, body=None, headers=None, timeout=PATIENCE_S):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return Reply(reply.status, {n.lower(): v for n, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, path, headers=None, timeout=PATIENCE_S):
        return self.request("GET", path, headers=headers, timeout=timeout)

    def app(self, name, path="/", method="GET", body=None, headers=None, timeout=PATIENCE_S):
        """One request to an app by its host name."""
        return self.request(method, path, body, {"Host": f"{name}.localhost:{self.port}", **(headers or {})}, timeout)

    def api(self, method, path, value=None, headers=None):
        body = json.dumps(value) if value is not None else None
        given = {"Authorization": f"Bearer {self.token}", **({"Content-Type": "application/json"} if body else {})}
        return self.request(method, "/api/v1" + path, body, {**given, **(headers or {})})

    def connect(self, timeout=PATIENCE_S):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    # --- as a person --------------------------------------------------------------------------------------------

    def cli(self, *arguments, code=0, timeout=120, env=None):
        run = subprocess.run([self.binary, *arguments], env={**self.environment, **(env or {})}, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                             timeout=timeout, check=False)
        if code is not None:
            assert run.returncode == code, (f"kelvin {' '.join(map(str, arguments))}: exit {run.returncode}, wanted {code}\n"
                                            f"{run.stdout}\n{run.stderr}\nserve:\n{self.log()[-3000:]}")
        return run

    def json(self, *arguments, code=0):
        return json.loads(self.cli(*arguments, "--json", code=code).stdout)

    def deploy(self, name, command, programs=(), wait=False, code=0, **keys):
        """Writes an app folder with these programs and deploys it. YAML is a superset of JSON."""
        with tempfile.TemporaryDirectory(prefix="kelvin-test-app-") as folder:
            for program in programs:
                shutil.copy(PROGRAMS / program if isinstance(program, str) else program, folder)
            file = Path(folder) / "kelvin.yaml"
            file.write_text(json.dumps({"name": name, "command": command, **keys}, indent=1), encoding="utf-8")
            return self.cli("deploy", str(file), *(["--wait"] if wait else []), code=code)

    def make_cold(self, name, deploy_again):
        """Ends every replica of the app: it is deleted, and deployed afresh by the given call."""
        self.cli("delete", name, "--yes")
        wait_until(lambda: not [r for r in self.replicas() if r["app"] == name and r["state"] != "gone"],
                   f"{name} has no replica left", pause=0.02)
        deploy_again()

    def deploy_echo(self, name="echo", wait=False, **keys):
        return self.deploy(name, ["python3", "echo_app.py"], ["echo_app.py"], wait=wait, **keys)

    # --- looking ------------------------------------------------------------------------------------------------

    def replicas(self, app=None):
        return self.api("GET", f"/replicas?app={app}" if app else "/replicas").json["replicas"]

    def live_replicas(self, app):
        return [r for r in self.replicas(app) if r["state"] not in ("gone", "stopping")]

    def states(self, app):
        return sorted(r["state"] for r in self.replicas(app) if r["state"] != "gone")

    def condition(self, app):
        return self.api("GET", f"/apps/{app}").json["app"]["condition"]

    def wait_condition(self, app, condition, patience=PATIENCE_S):
        wait_until(lambda: self.condition(app) == condition, f"{app} is {condition}", patience)

    def decisions(self, app):
        found = self.api("GET", f"/decisions?app={app}&most=200").json["decisions"]
        return [d["sentence"] for d in found]

    def park(self, app):
        self.cli("park", app)
        self.wait_condition(app, "parked")

    def usage_ms(self, app, phase, field="total_ms"):
        sums = self.json("usage", app)["sums"]
        return sum(s[field] for s in sums if s["app"] == app and s["phase"] == phase)


def is_zombie(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


def in_background(function, *arguments, **keys):
    """Runs the function on a thread; .result() waits and returns or raises what it did."""
    return Background(function, arguments, keys)


class Background:
    def __init__(self, function, arguments, keys):
        self.value, self.problem = None, None
        self.thread = threading.Thread(target=self.run, args=(function, arguments, keys), daemon=True)
        self.thread.start()

    def run(self, function, arguments, keys):
        try:
            self.value = function(*arguments, **keys)
        except Exception as problem:  # pylint: disable=broad-except; handed on by result()
            self.problem = problem

    def result(self, patience=PATIENCE_S):
        self.thread.join(patience)
        assert not self.thread.is_alive(), "still running"
        if self.problem is not None:
            raise self.problem
        return self.value
