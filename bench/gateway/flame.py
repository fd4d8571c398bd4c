#!/usr/bin/env python3
"""flame: draws where Kelvin's processor time goes while it proxies, kernel and user space, as a flame graph.

    bench/gateway/flame.py OUT.svg [--path /small] [--connections 32] [--seconds 5]

Width is the share of samples (perf, cpu-clock) of the process; what stands on a frame was called by it. Pointing at a frame shows
its whole name and share. Build as for bench/run.
"""
import argparse
import html
import re
import subprocess
import sys
import threading
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCH), str(BENCH.parent / "tools"), str(BENCH / "gateway")]

from field import Field, install, run_tool  # noqa: E402  pylint: disable=wrong-import-position
from peers import program  # noqa: E402  pylint: disable=wrong-import-position

WIDTH = 1400
ROW = 17
CHARACTER = 6.6
WIDTH_MIN = 0.4  # of a frame, in pixels: smaller ones are left out
FREQUENCY = 997
STACK_BYTES = 16384


class Frame:
    def __init__(self, name):
        self.name, self.count, self.children = name, 0, {}

    def add(self, stack):
        """`stack` from the outermost call inwards."""
        frame = self
        frame.count += 1
        for name in stack:
            frame = frame.children.setdefault(name, Frame(name))
            frame.count += 1

    def depth(self):
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def record(folder, pid, seconds):
    """The stacks of the process, outermost call first."""
    perf, file = program("perf"), folder / "perf.data"
    subprocess.run([perf, "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "--call-graph", f"dwarf,{STACK_BYTES}", "-o", file, "-p", str(pid),
                    "--", "sleep", str(seconds)], stderr=subprocess.DEVNULL, check=True)
    printed = subprocess.run([perf, "script", "--no-inline", "-F", "comm,ip,sym", "-i", file], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=True).stdout
    for sample in printed.split("\n\n"):
        lines = sample.strip().split("\n")
        if len(lines) > 1:
            yield [lines[0].strip(), *(short(line) for line in reversed(lines[1:]))]


def short(line):
    """A function's name without its address, arguments and template arguments."""
    name = line.strip().partition(" ")[2] or "?"
    name = re.sub(r"\[abi:\w+\]", "", name).replace("(anonymous namespace)::", "").replace("kelvin::", "")
    for brackets in (r"<[^<>]*>", r"\([^()]*\)"):
        while (shorter := re.sub(brackets, "", name)) != name:
            name = shorter
    return name.replace(" const", "").strip()


def rectangles(frame, left, level, scale):
    """(frame, left edge, level) of everything wide enough to be seen, `frame` included."""
    yield frame, left, level
    for child in sorted(frame.children.values(), key=lambda c: c.name):
        if child.count * scale >= WIDTH_MIN:
            yield from rectangles(child, left, level + 1, scale)
        left += child.count * scale


def colour(name, level):
    """Warm for what runs in user space of Kelvin, cool for the kernel's and the C library's functions."""
    shade = sum(name.encode()) % 40
    is_ours = "::" in name or level == 0
    return f"rgb({225 - shade // 2},{120 + shade},{60 + shade})" if is_ours else f"rgb({120 + shade},{160 + shade},{200 - shade // 3})"


def draw(root, title):
    scale = WIDTH / max(root.count, 1)
    height = (root.depth() + 2) * ROW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/><text x="4" y="13">{html.escape(title)}</text>']
    for frame, left, level in rectangles(root, 0, 0, scale):
        width, top = frame.count * scale, height - (level + 1) * ROW
        letters = int((width - 4) / CHARACTER)
        label = frame.name if len(frame.name) <= letters else frame.name[:max(letters - 1, 0)] + "…"
        text = f'<text x="{left + 2:.1f}" y="{top + 12}">{html.escape(label)}</text>' if letters > 3 else ""
        parts.append(f'<g><title>{html.escape(frame.name)}: {100 * frame.count / max(root.count, 1):.1f} %</title>'
                     f'<rect x="{left:.1f}" y="{top}" width="{max(width - 0.3, 0.1):.1f}" height="{ROW - 1}" '
                     f'fill="{colour(frame.name, level)}"/>{text}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--path", default="/small")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    install()
    root = Frame("all")
    with Field(peers=[]) as field:
        target = field.targets["kelvin"]
        load = threading.Thread(target=run_tool, args=("load", field.load_core), daemon=True, kwargs={
            "port": target.port, "host": target.host, "path": options.path, "connections": options.connections, "seconds": options.seconds + 2})
        load.start()
        for stack in record(field.folder, target.pid, options.seconds):
            root.add(stack)
        load.join()
    title = f"kelvin serve, GET {options.path}, {options.connections} connections: {root.count} samples"
    Path(options.file).write_text(draw(root, title), encoding="utf-8")
    print(title)


if __name__ == "__main__":
    main()
