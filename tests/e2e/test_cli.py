"""test_cli: every verb against a real platform, as text and as JSON, and the exit codes of product and help."""
import json
import re

import pytest

from serving import wait_until


@pytest.fixture(scope="module")
def echo(shared_serve):
    shared_serve.deploy_echo("echo", wait=True)
    return shared_serve


def test_version_and_help_need_no_server(shared_serve):
    assert re.search(r"\d+\.\d+\.\d+", shared_serve.cli("version").stdout)
    assert shared_serve.json("version")["version"]
    help_text = shared_serve.cli("--help").stdout
    for verb in ("serve", "deploy", "apps", "describe", "ps", "call", "logs", "explain", "park", "wake", "scale", "traffic",
                 "rollback", "delete", "keys", "usage", "bill", "plan", "version", "completion"):
        assert verb in help_text
        assert "kelvin " + verb in shared_serve.cli(verb, "--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_verbs(shared_serve, shell):
    assert "deploy" in shared_serve.cli("completion", shell).stdout


def test_deploy_waits_until_the_app_answers(echo):
    assert echo.condition("echo") in ("ready", "parked")
    assert "hello from" in echo.cli("call", "echo").stdout


def test_deploying_the_same_again_changes_nothing(echo):
    before = echo.json("describe", "echo")["app"]["revision"]
    echo.deploy_echo("echo")
    assert echo.json("describe", "echo")["app"]["revision"] == before


def test_apps_and_ps_show_what_runs(echo):
    assert "echo" in echo.cli("apps").stdout
    [app] = [a for a in echo.json("apps")["apps"] if a["name"] == "echo"]
    assert app["scale"]["max"] == 4 and app["url"].startswith("http://echo.localhost:")
    echo.cli("wake", "echo")
    wait_until(lambda: echo.json("ps", "echo")["replicas"], "a replica is listed")
    [replica] = [r for r in echo.json("ps", "echo")["replicas"] if r["state"] != "gone"]
    assert re.fullmatch(r"r\d+-\d+", replica["id"]) and replica["pid"] > 0
    assert replica["id"] in echo.cli("ps").stdout


def test_call_draws_where_the_time_went(echo):
    run = echo.cli("call", "echo", "/sleep?ms=20", "--timing")
    assert "slept" in run.stdout
    assert re.search(r"first byte|ttfb", run.stderr + run.stdout, re.IGNORECASE)
    report = echo.json("call", "echo", "/bytes?n=3")
    assert report["status"] == 200 and report["body"] == "xxx"


def test_call_posts_a_body(echo):
    assert echo.cli("call", "echo", "/post", "-d", '{"a": 1}').stdout.strip() == '{"a": 1}'


def test_logs_show_what_the_program_printed_and_what_the_platform_did(echo):
    echo.app("echo", "/say?text=needle-in-the-log")
    wait_until(lambda: "needle-in-the-log" in echo.cli("logs", "echo").stdout, "the line is in the log")
    assert "needle-in-the-log" not in echo.cli("logs", "echo", "--replica", "r999-1", code=None).stdout
    system = echo.cli("logs", "echo", "--system").stdout
    assert "needle-in-the-log" in system and len(system.splitlines()) > len(echo.cli("logs", "echo").stdout.splitlines())


def test_logs_follow_as_lines_come(echo):
    import subprocess
    process = subprocess.Popen([echo.binary, "logs", "echo", "-f"], env=echo.environment, stdout=subprocess.PIPE, text=True)
    try:
        echo.app("echo", "/say?text=followed-line")
        for line in process.stdout:
            if "followed-line" in line:
                break
        else:
            pytest.fail("the stream ended without the line")
    finally:
        process.terminate()
        process.wait(10)


def test_explain_says_why_things_happened(echo):
    echo.park("echo")
    woke = echo.app("echo").headers["kelvin-request-id"]
    assert "echo" in echo.cli("explain", "echo").stdout
    assert echo.json("explain", "echo")["decisions"]
    assert woke in echo.cli("explain", woke).stdout
    replica = echo.live_replicas("echo")[0]["id"]
    assert replica in echo.cli("explain", replica).stdout


def test_park_and_wake_steer_by_hand(echo):
    echo.app("echo")
    echo.park("echo")
    echo.cli("wake", "echo")
    echo.wait_condition("echo", "ready")


def test_scale_changes_the_limits_and_keeps_them(echo):
    echo.cli("scale", "echo", "--min", "1", "--max", "2")
    app = echo.json("describe", "echo")["app"]
    assert (app["scale"]["min"], app["scale"]["max"]) == (1, 2)
    echo.wait_condition("echo", "ready")
    echo.cli("scale", "echo", "--min", "0", "--max", "4")


def test_rollback_brings_the_older_revision_back(shared_serve):
    serve = shared_serve
    serve.deploy_echo("rolled", env={"WORD": "one"})
    serve.deploy_echo("rolled", env={"WORD": "two"})
    word = lambda: serve.app("rolled", "/environment").json["environment"]["WORD"]
    assert word() == "two"
    serve.cli("rollback", "rolled")
    assert wait_until(lambda: word() == "one", "the first revision answers")
    description = serve.json("describe", "rolled")
    assert [r["number"] for r in description["revisions"] if r["is_active"]] == [1]
    serve.cli("delete", "rolled", "--yes")


def test_traffic_stays_where_it_was_put_until_it_follows_the_latest(shared_serve):
    serve = shared_serve
    serve.deploy_echo("split", env={"WORD": "one"})
    serve.deploy_echo("split", env={"WORD": "two"})
    word = lambda: serve.app("split", "/environment").json["environment"]["WORD"]
    assert word() == "two"
    assert "revision 1: 100 %" in serve.cli("traffic", "split", "1=100").stdout
    assert wait_until(lambda: word() == "one", "the first revision answers")
    serve.deploy_echo("split", env={"WORD": "three"})
    assert word() == "one"
    serve.cli("traffic", "split", "1=60", "3=40")
    assert serve.json("describe", "split")["app"]["traffic"] == [
        {"revision": 1, "percent": 60}, {"revision": 3, "percent": 40}]
    serve.cli("traffic", "split", "1=60", "7=40", code=3)
    serve.cli("traffic", "split", "1=60", code=2)
    serve.cli("traffic", "split", "--latest")
    assert wait_until(lambda: word() == "three", "the latest revision answers")
    serve.cli("delete", "split", "--yes")


def test_delete_forgets_the_app_and_stops_it(shared_serve):
    serve = shared_serve
    serve.deploy_echo("gone", wait=True)
    serve.cli("delete", "gone", "--yes")
    assert serve.app("gone").status == 404
    wait_until(lambda: not [r for r in serve.replicas() if r["app"] == "gone" and r["state"] != "gone"], "no replica is left")
    serve.cli("describe", "gone", code=3)


def test_keys_come_and_go(shared_serve):
    serve = shared_serve
    made = serve.json("keys", "create", "laptop", "--scope", "invoke")
    assert re.fullmatch(r"kv_.{8}_.{43}", made["secret"])
    prefix = made["key"]["prefix"]
    assert made["key"]["weight"] == 1
    assert serve.json("keys", "create", "site", "--weight", "4")["key"]["weight"] == 4
    assert prefix in serve.cli("keys", "ls").stdout and made["secret"] not in serve.cli("keys", "ls").stdout
    # Invoke is not admin.
    assert serve.api("GET", "/apps", headers={"Authorization": "Bearer " + made["secret"]}).status == 403
    serve.cli("keys", "rm", prefix)
    assert prefix not in serve.cli("keys", "ls").stdout


def test_usage_and_bill_are_numbers_that_agree(echo):
    echo.app("echo", "/sleep?ms=200")
    wait_until(lambda: echo.usage_ms("echo", "busy") >= 200, "the request is in the usage table", patience=30)
    bill = echo.json("bill")
    assert bill["plan"] == "active"
    assert sum(line["amount_nano"] for line in bill["lines"]) == bill["total_nano"]
    for line in bill["lines"]:
        assert line["amount_nano"] == line["busy_ms"] * line["rate_nano_per_ms"]
    assert "echo" in echo.cli("usage").stdout and "echo" in echo.cli("bill").stdout


# --- errors: a sentence on stderr, nothing on stdout, a stable exit code -------------------------------------------------

@pytest.mark.parametrize("arguments, code", [
    (["describe", "nobody"], 3), (["call", "nobody"], 3), (["logs", "nobody"], 3), (["park", "nobody"], 3),
    (["wake", "nobody"], 3), (["rollback", "nobody"], 3), (["delete", "nobody", "--yes"], 3), (["explain", "nobody"], 3),
    (["scale", "nobody", "--min", "0", "--max", "1"], 3), (["keys", "rm", "nokeyhas"], 3),
    (["frobnicate"], 2), (["deploy"], 2), (["ps", "--nonsense"], 2), (["scale", "echo", "--min", "x"], 2),
    (["serve", "--loops", "0"], 2), (["serve", "--limit", "connections=0"], 2),
])
def test_errors_have_a_sentence_and_a_stable_code(echo, arguments, code):
    run = echo.cli(*arguments, code=code)
    assert run.stdout == "" and len(run.stderr.strip()) > 10


def test_errors_in_json_are_json(echo):
    run = echo.cli("describe", "nobody", "--json", code=3)
    failure = json.loads((run.stdout or run.stderr).strip())
    assert "nobody" in json.dumps(failure)


def test_no_server_is_said_so_with_what_was_tried(echo):
    run = echo.cli("apps", "--server", "http://127.0.0.1:9", code=7)
    assert "127.0.0.1:9" in run.stderr


def test_a_wrong_token_is_refused(echo):
    run = echo.cli("apps", code=4, env={"KELVIN_TOKEN": "kv_AAAAAAAA_" + "A" * 43})
    assert "kv_AAAAAAAA_AAAA" not in run.stderr
