"""demo: the story that ./demo tells, once everything is built: a model answers from absolute zero, cools, wakes, is billed."""
import http.client
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serving import REPOSITORY, Serve, find_binary, processes_with

APP = "gemma"
APP_FILE = REPOSITORY / "examples" / "gemma" / "kelvin.yaml"
MODEL = APP_FILE.parent / "gemma-3-270m-q4_k_m.gguf"
FIRST_QUESTION = "What is the capital of France?"
QUESTIONS = ["What is heat?", "What is water made of?", "How does a thermometer work?"]
WAKES_FROM_PARKED = 5
WAKES_FROM_COLD = 3
WATERFALL_COLUMNS = 50
IS_TERMINAL = sys.stdout.isatty()


def say(text):
    print(f"\n\x1b[1m{text}\x1b[0m" if IS_TERMINAL and "NO_COLOR" not in os.environ else f"\n{text}", flush=True)


def show(text):
    """One line that replaces the last on a terminal."""
    if IS_TERMINAL:
        print(f"\r{text}\x1b[K", end="", flush=True)


def chat(question):
    return json.dumps({"model": APP, "stream": True, "max_tokens": 60, "messages": [{"role": "user", "content": question}]})


def words_of(lines):
    """The text of a streamed chat completion, piece by piece, from its lines."""
    for line in lines:
        line = line.decode() if isinstance(line, bytes) else line
        if not line.startswith("data: ") or line.strip() == "data: [DONE]":
            continue
        choices = json.loads(line[len("data: "):]).get("choices") or [{}]
        piece = (choices[0].get("delta") or {}).get("content")
        if piece:
            yield piece


def first_piece_of(pieces, is_quiet):
    """Reads the answer to its end, printing it as it comes; the moment of its first piece."""
    first_at = None
    for piece in pieces:
        if first_at is None:
            first_at, piece = time.perf_counter(), piece.lstrip()
        if not is_quiet:
            print(piece, end="", flush=True)
    if not is_quiet:
        print(flush=True)
    return first_at


def waterfall(server_timing, first_token_ms):
    """Where the time to the first token went, from the reply's Server-Timing, one bar per stage."""
    stages = [(name, float(ms)) for name, ms in re.findall(r"([\w-]+)[^,]*?;dur=([\d.]+)", server_timing)]
    rest_ms = first_token_ms - sum(ms for _, ms in stages)
    if rest_ms > 0:
        stages.append(("first token", rest_ms))
    lines, before_ms, scale = [], 0.0, WATERFALL_COLUMNS / max(first_token_ms, 1e-6)
    for name, ms in stages:
        bar = " " * int(before_ms * scale) + "#" * max(1, round(ms * scale))
        lines.append(f"   {name:<12}{ms:>9.1f} ms  {bar}")
        before_ms += ms
    return "\n".join(lines)


class Demo:
    def __init__(self, folder):
        (folder / "bin").mkdir(mode=0o755)
        shutil.copy(os.environ["KELVIN_LLAMA_SERVER"], folder / "bin" / "llama-server")
        (folder / "bin" / "llama-server").chmod(0o755)
        self.serve = Serve(find_binary("release"), path_folders=[folder / "bin"])
        self.first_token_ms = {"cold": [], "parked": [], "warm": []}

    def kelvin(self, *arguments):
        """Runs a verb as a person would, with its output on this terminal."""
        print(f"$ kelvin {' '.join(arguments)}", flush=True)
        subprocess.run([self.serve.binary, *arguments], env=self.serve.environment, check=True)

    def ask(self, question, is_quiet=False, is_drawn=False):
        """One streamed chat completion through /v1, as any OpenAI client sends it; notes the time to its first token."""
        if not is_quiet:
            print(f"   Q: {question}\n   A: ", end="", flush=True)
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.serve.port, timeout=300)
        connection.request("POST", "/v1/chat/completions", chat(question), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        if reply.status != 200:
            raise RuntimeError(f"the platform answered {reply.status}: {reply.read().decode()}")
        first_at = first_piece_of(words_of(reply), is_quiet)
        connection.close()
        temperature, took_ms = reply.headers.get("Kelvin-Cold-Start", "warm"), (first_at - began) * 1000
        if not is_quiet:
            print(f"   (from {temperature}: first token after {took_ms:.0f} ms)", flush=True)
        if is_drawn:
            print(waterfall(reply.headers["Server-Timing"], took_ms), flush=True)
        self.first_token_ms[temperature].append(took_ms)

    def call_with_waterfall(self, question):
        """The same through `kelvin call --timing`; its answer is the stream as it comes, so only its text is shown."""
        print(f"$ kelvin call {APP} /v1/chat/completions --timing -d '{chat(question)}'\n   A: ", end="", flush=True)
        process = subprocess.Popen(
            [self.serve.binary, "call", APP, "/v1/chat/completions", "--timing", "-d", chat(question)],
            env=self.serve.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first_at = first_piece_of(words_of(process.stdout), is_quiet=False)
        drawn = process.stderr.read()
        if process.wait() != 0 or first_at is None:
            raise RuntimeError(f"the question was not answered:\n{drawn}")
        print(drawn, flush=True)

    def wait_for(self, condition, patience_s):
        began = time.monotonic()
        while self.serve.condition(APP) != condition:
            idle_s = time.monotonic() - began
            show(f"   {APP} is {self.serve.condition(APP)}, idle for {idle_s:.0f} s, waiting for {condition}")
            if idle_s > patience_s:
                raise RuntimeError(f"{APP} was not {condition} within {patience_s} s")
            time.sleep(0.1)
        show("")
        if IS_TERMINAL:
            print("\r", end="")
        print(f"   after {time.monotonic() - began:.1f} s without a call: {condition}", flush=True)

    def wake_from_parked(self):
        say(f"8. Waking from parked, {WAKES_FROM_PARKED} times")
        for number in range(WAKES_FROM_PARKED):
            self.serve.park(APP)
            self.ask(QUESTIONS[number % len(QUESTIONS)])
            self.ask(QUESTIONS[number % len(QUESTIONS)], is_quiet=True)

    def wake_from_cold(self):
        say(f"9. Waking from cold, {WAKES_FROM_COLD} times (deleting and deploying is the quick way to cold)")
        for number in range(WAKES_FROM_COLD):
            self.serve.make_cold(APP, lambda: self.serve.cli("deploy", str(APP_FILE)))
            self.ask(QUESTIONS[number % len(QUESTIONS)])

    def table(self):
        say("10. Temperature -> first token, as the client saw it")
        print(f"   {'temperature':<12} {'median':>10} {'maximum':>10} {'n':>4}")
        for temperature, found in self.first_token_ms.items():
            if found:
                print(f"   {temperature:<12} {statistics.median(found):>7.0f} ms {max(found):>7.0f} ms {len(found):>4}")

    def tell(self):
        say("4. kelvin serve, on a free port, with a data folder of its own")
        self.serve.start()
        print(f"   {self.serve.url}", flush=True)
        say("5. Deploying the model: it is stored by content hash; nothing runs yet")
        self.kelvin("deploy", str(APP_FILE.relative_to(REPOSITORY)))
        self.kelvin("apps")
        say("6. A question while nothing runs: absolute zero")
        self.ask(FIRST_QUESTION, is_drawn=True)
        say("   ... and one while it is warm")
        self.ask(QUESTIONS[0])
        self.kelvin("ps")
        say("7. Nobody calls: it cools by itself (examples/gemma/kelvin.yaml turns the dial down so that this takes < 60 s)")
        self.wait_for("parked", 30)
        self.wait_for("cold", 90)
        self.call_with_waterfall(FIRST_QUESTION)
        self.wake_from_parked()
        self.wake_from_cold()
        self.table()
        say("11. The bill: accelerator time during which a request was being served, and nothing else")
        self.serve.park(APP)  # ends the usage row that is open
        self.kelvin("usage")
        self.kelvin("bill")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.chdir(REPOSITORY)
    if not MODEL.exists() or MODEL.stat().st_size != os.stat(os.environ["KELVIN_GGUF"]).st_size:
        MODEL.unlink(missing_ok=True)
        shutil.copy(os.environ["KELVIN_GGUF"], MODEL)
    folder = Path(tempfile.mkdtemp(prefix="kelvin-demo-"))
    folder.chmod(0o755)
    demo = Demo(folder)
    began = time.monotonic()
    try:
        demo.tell()
    except KeyboardInterrupt:
        print("\ndemo: stopping", file=sys.stderr)
        return 130
    except (RuntimeError, AssertionError, OSError, subprocess.CalledProcessError) as problem:
        print(f"\ndemo: {problem}\n{demo.serve.log()[-2000:]}", file=sys.stderr)
        return 1
    finally:
        demo.serve.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    left = processes_with(str(demo.serve.data))
    if left:
        print(f"demo: still running: {left}", file=sys.stderr)
        return 1
    say(f"Done in {time.monotonic() - began:.0f} s; nothing is left running. Try: build/release/kelvin serve, then kelvin --help")
    return 0


if __name__ == "__main__":
    sys.exit(main())
