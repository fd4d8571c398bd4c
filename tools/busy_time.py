"""busy_time: busy milliseconds computed again from an access log, independently of the platform's meter."""
import json

ACCELERATORS = 1  # each replica of these apps holds one CPU slot


def union_ns(spans):
    total, end = 0, None
    for begin, finish in sorted(spans):
        if end is None or begin > end:
            total += finish - begin
            end = finish
        elif finish > end:
            total += finish - end
            end = finish
    return total


def recompute_ms(lines):
    """{app: busy milliseconds} from the lines of an access log."""
    spans = {}
    for line in lines:
        entry = json.loads(line)
        if entry.get("t_first_byte_sent_ns") and entry.get("t_last_byte_read_ns"):
            span = (entry["t_first_byte_sent_ns"], entry["t_last_byte_read_ns"])
            spans.setdefault((entry["app"], entry["replica"]), []).append(span)
    busy = {}
    for (app, _), found in spans.items():
        busy[app] = busy.get(app, 0) + union_ns(found) // 1_000_000 * ACCELERATORS
    return busy
