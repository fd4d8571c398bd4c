"""test_plan: `kelvin plan` on a made-up trace, without a platform: tables, JSON, page, and bad traces refused."""
import json
import re
import subprocess

import pytest

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def run(binary, *words, code=0):
    done = subprocess.run([binary, "plan", *map(str, words)], capture_output=True, text=True, env={"PATH": "", "LANG": "C.UTF-8"})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def trace(tmp_path):
    """A burst of thirty requests every ten minutes, and a lonely one in between; each holds its slot for 4.05 s."""
    lines = []
    for minute in range(0, 60, 5):
        for i in range(30 if minute % 10 == 0 else 1):
            lines.append(f"2026-01-31 12:{minute:02}:{i:02}.5000000,0,200\n")
    path = tmp_path / "trace.csv"
    path.write_text(HEADER + "".join(lines))
    return path


def test_tables_and_words(binary, trace):
    out = run(binary, "--trace", trace, "--price", "2.50").stdout
    for policy in ("kelvin batch", "kelvin balanced", "kelvin interactive", "kelvin strict", "idle 0 s", "idle 600 s", "knative",
                   "ray serve, min 0", "ray serve, min 1", "queue delay 4 s", "reserved"):
        assert len(re.findall(rf"^{re.escape(policy)} ", out, re.MULTILINE)) == 2, policy
    assert "186 requests of 1 app" in out
    assert re.search(r"Serverless \(kelvin interactive\) this traffic costs EUR \d+\.\d\d", out)
    assert re.search(r"Reserving wins above a load of [\d.]+\s%", out)


def test_json_is_complete_and_agrees_with_itself(binary, trace):
    plan = json.loads(run(binary, "--trace", trace, "--price", "2.50", "--urgency", "5", "--urgency", "50", "--json").stdout)
    assert plan["traffic"]["requests"] == 186 and plan["traffic"]["format"] == "azure-llm"
    assert plan["traffic"]["service_mean_s"] == pytest.approx(4.05)
    rows = {row["policy"]: row for row in plan["policies"]}
    busy = 186 * 4.05
    for row in rows.values():
        spent = row["accelerator_s"]
        assert spent["total"] == pytest.approx(sum(spent[phase] for phase in spent if phase != "total"))
        assert busy / 8 <= spent["busy"] <= busy
        for priced in row["priced"]:
            assert priced["j"] == pytest.approx(spent["total"] + priced["lambda"] * row["waiting"]["total_s"])
        waiting = row["waiting"]
        assert 0 <= waiting["p50_s"] <= waiting["p95_s"] <= waiting["p99_s"] <= waiting["most_s"]
    assert [rows[name]["urgency"] for name in ("kelvin balanced", "kelvin 50")] == [5, 50]
    assert rows["reserved"]["waiting"]["total_s"] == 0
    assert rows["reserved"]["over_optimum"] >= 1
    verdict = plan["verdict"]
    assert verdict["reserved_amount_nano"] == pytest.approx(rows["reserved"]["accelerator_s"]["total"] / 3600 * 2.5e9, rel=0.01)
    assert 0 < verdict["break_even_load"] <= 1


def test_the_same_again_is_the_same(binary, trace):
    first, second = (run(binary, "--trace", trace, "--json").stdout for _ in range(2))
    assert first == second


def test_a_page_that_needs_nothing_else(binary, trace, tmp_path):
    page = tmp_path / "plan.html"
    run(binary, "--trace", trace, "--html", page)
    text = page.read_text()
    assert text.startswith("<!doctype html>") and text.count("<svg") == 3 * text.count("<h3>") >= 3 * 11
    assert not re.search(r"<script|https?:|src=|href=|url\(|@import", text)


def test_servegen_by_seed(binary, tmp_path):
    (tmp_path / "chunk-4-trace.csv").write_text("0,0.05,1.5,Gamma,0.5,40\n600,0,0,,0,0\n1200,0.1,1,Weibull,0.8,10\n")
    (tmp_path / "chunk-4-dataset.json").write_text(
        json.dumps({"0": {"input_tokens": "{100: 0.5, 200: 0.5}", "output_tokens": "{50: 1.0}", "reason_ratio": "{}"}}))

    def told(seed):
        return run(binary, "--trace", tmp_path, "--client", 4, "--seed", seed, "--urgency", 5, "--json").stdout
    assert json.loads(told(1))["traffic"]["format"] == "servegen"
    assert told(1) == told(1) != told(2)


@pytest.mark.parametrize("text, said", [
    ("", "empty"),
    (HEADER, "no requests in it"),
    (HEADER + "2026-01-31 12:00:01,1,1\n2026-01-31 12:00:00,1,1\n", r"trace.csv:3: error: TIMESTAMP is 1 s before"),
    (HEADER + "2026-01-31 12:00:01,-5,1\n", r"trace.csv:2: error: ContextTokens is -5, which is negative"),
    (HEADER + "2026-01-31 12:00:01,1e99,1\n", r"trace.csv:2: error: ContextTokens is 1e\+99; the most is"),
    ("time,tokens\n1,2\n", r"trace.csv:1: error: the first line is 'time,tokens'"),
    ("x" * 2_000_000, r"trace.csv:1: error: a line of more than 1048576 bytes"),
])
def test_bad_traces_are_refused_with_their_line(binary, tmp_path, text, said):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    done = run(binary, "--trace", path, code=2)
    assert re.search(said, done.stderr) and "Next:" in done.stderr and done.stdout == ""
    failure = json.loads(run(binary, "--trace", path, "--json", code=2).stderr)
    assert "trace_refused" in json.dumps(failure)
