"""test_schedule: replicas that a schedule keeps warm, what describe and explain say about it, and what a restart makes of it.

The windows are always open or open once a year, so that no test depends on the time of day.
"""
from serving import wait_until

ALWAYS = {"cron": "* * * * *", "for": "1h", "zone": "Europe/Berlin", "min": 1}
ONCE_A_YEAR = {"cron": "0 3 29 2 *", "until": "1 3 29 2 *", "min": 2}


def scale(*rules):
    return {"min": 0, "max": 2, "schedule": list(rules)}


def test_an_open_window_keeps_a_replica_ready_and_says_why(serve):
    serve.deploy_echo("office", scale=scale(ALWAYS, ONCE_A_YEAR))
    wait_until(lambda: serve.states("office") == ["ready"], "the schedule has started a replica that nobody asked for")
    words = "1 replica by `* * * * *` for 1h, Europe/Berlin, since "
    assert words in " ".join(serve.cli("describe", "office").stdout.split())
    explained = " ".join(serve.cli("explain", "office").stdout.split())
    assert f"Kept warm: the schedule keeps {words}" in explained
    assert "the schedule keeps 1 replica by `* * * * *`" in explained and "; 0 ready or on the way" in explained
    shown = serve.api("GET", "/apps/office").json["app"]["scale"]["schedule"]
    assert shown["min"] == 1 and shown["since_unix_ms"] and shown["rules"][1]["until"] == "1 3 29 2 *"


def test_a_closed_window_keeps_nothing_and_says_when_it_opens(serve):
    serve.deploy_echo("leap", scale=scale(ONCE_A_YEAR))
    assert serve.states("leap") == []
    described = " ".join(serve.cli("describe", "leap").stdout.split())
    assert "schedule none until " in described and "-02-29 03:00 UTC, then 2 replicas by `0 3 29 2 *`" in described


def test_a_schedule_holds_after_a_restart(serve):
    serve.deploy_echo("office", scale=scale(ALWAYS))
    wait_until(lambda: serve.states("office") == ["ready"], "ready before the restart")
    serve.stop()
    serve.start()
    wait_until(lambda: serve.states("office") == ["ready"], "ready again, though nobody called")


def test_a_deploy_without_the_schedule_ends_it(serve):
    serve.deploy_echo("office", scale=scale(ALWAYS))
    wait_until(lambda: serve.states("office") == ["ready"], "ready")
    serve.deploy_echo("office", scale={"min": 0, "max": 2})
    wait_until(lambda: "ready" not in serve.states("office"), "it cools like any other")
    assert serve.api("GET", "/apps/office").json["app"]["scale"]["schedule"] is None


def test_a_wrong_rule_is_refused_with_its_place_in_the_file(serve, tmp_path):
    file = tmp_path / "kelvin.yaml"
    file.write_text("name: office\ncommand: [python3]\nscale:\n  schedule:\n    - {cron: \"0 25 * * *\", for: 1h}\n",
                    encoding="utf-8")
    refused = serve.cli("deploy", str(file), code=2)
    assert "kelvin.yaml:5:14" in refused.stderr and "'25' is no hour; expected 0-23" in refused.stderr
    file.write_text("name: office\ncommand: [python3]\nscale:\n  schedule:\n"
                    "    - {cron: \"0 8 * * *\", for: 1h, zone: Europe/Berlni}\n", encoding="utf-8")
    refused = serve.cli("deploy", str(file), code=2)
    assert "kelvin.yaml:5:42" in refused.stderr and "knows no time zone 'Europe/Berlni'" in refused.stderr
