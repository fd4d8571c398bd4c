"""measuring: what every bench needs: rows, their statistics, and where they were taken."""
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
P99_SAMPLES_MIN = 300


def row(claim, samples, unit, peer=None, peer_samples=None, target=None, value=None, at_least=False):
    """One line of a report. `samples` are in `unit`; the value is their median unless given. `spread` is the distance
    between the quartiles. `target` is an upper bound on the value, or with `at_least` a lower one.
    """
    found = statistics.median(samples) if value is None else value
    peer_value = statistics.median(peer_samples) if peer_samples else None
    return {"claim": claim, "value": round(found, 4), "unit": unit, "n": len(samples), "spread": round(spread(samples), 4),
            "peer": peer, "peer_value": None if peer_value is None else round(peer_value, 4),
            "ratio": round(found / peer_value, 3) if peer_value else None,
            "target": None if target is None else round(target, 4), "at_least": at_least,
            "met": None if target is None else (found >= target if at_least else found <= target)}


def spread(samples):
    if len(samples) < 4:
        return max(samples) - min(samples)
    low, _, high = statistics.quantiles(samples, n=4)
    return high - low


def worst(samples):
    """(name, value): the 99th percentile where there are enough samples for one, the maximum otherwise."""
    if len(samples) >= P99_SAMPLES_MIN:
        return "p99", statistics.quantiles(samples, n=100)[98]
    return "maximum", max(samples)


def table(rows):
    head = ["claim", "value", "unit", "n", "spread", "peer", "peer value", "ratio", "target", "met"]
    keys = ["claim", "value", "unit", "n", "spread", "peer", "peer_value", "ratio", "target", "met"]
    lines = [head] + [[cell(entry[key]) for key in keys] for entry in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def cell(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return git("rev-parse", "--short", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory_gib:.0f} GiB, Linux {platform.release()}"


def build(target, packages=None):
    """Builds what a bench needs, in the release preset, after installing the packages that only it needs. A fraction of a second when
    it is there already.
    """
    subprocess.run([REPOSITORY / "tools" / "setup", *([packages] if packages else [])], check=True)
    environment = {**os.environ, "CMAKE_COLOR_DIAGNOSTICS": "OFF"}
    if not (REPOSITORY / "build" / "release" / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "release"], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, check=True)
    built = subprocess.run(["cmake", "--build", "--preset", "release", "--target", target], cwd=REPOSITORY, env=environment,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if built.returncode != 0:
        sys.exit(f"bench: {target} does not build:\n{built.stdout[-3000:]}")


def progress(text):
    """One moving line on a terminal, silence elsewhere."""
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def progress_done():
    progress("")
