"""test_rollouts: a revision that takes over step by step, goes back by itself when it fails, and is steered by hand."""
import pytest

from serving import Serve, wait_until


@pytest.fixture(scope="module")
def platform(binary):
    serve = Serve(binary, options=["--slots", "8"])
    try:
        serve.start()
        yield serve
    finally:
        serve.destroy()


def rollout_of(serve, app):
    return serve.api("GET", f"/apps/{app}").json["app"]["rollout"]


def deploy(serve, app, word, status="200", **rule):
    serve.deploy_echo(app, scale={"min": 0, "max": 2, "concurrency": 8}, env={"WORD": word, "ECHO_STATUS": status},
                      rollout={"steps": [50], "every": "1s", "requests": 10, **rule})


def begin(serve, app, **rule):
    """Revision 1 has served, revision 2 has its first share."""
    deploy(serve, app, "first")
    assert serve.app(app).status == 200
    deploy(serve, app, "second", **rule)
    wait_until(lambda: rollout_of(serve, app)["stage"] == "shifting", "revision 2 is ready and has its share")
    assert rollout_of(serve, app)["percent"] == 50


def call_until(serve, app, condition, what):
    wait_until(lambda: serve.app(app) and condition(), what)


def test_a_revision_that_does_as_well_takes_everything(platform):
    begin(platform, "well")
    call_until(platform, "well", lambda: rollout_of(platform, "well") is None, "the step is over")
    app = platform.api("GET", "/apps/well").json["app"]
    assert app["revision"] == 2 and app["traffic"] == []
    explained = " ".join(platform.cli("explain", "well").stdout.split())
    assert "revision 2 takes 50 % of the requests and revision 1 the rest, step 1 of 1" in explained
    assert "revision 2 takes all requests from revision 1: 0 of " in explained


def test_a_revision_that_fails_is_rolled_back_with_its_numbers(platform):
    begin(platform, "ill", status="500")
    call_until(platform, "ill", lambda: rollout_of(platform, "ill")["stage"] == "rolled_back", "it is rolled back")
    assert platform.api("GET", "/apps/ill").json["app"]["revision"] == 1
    assert all(platform.app("ill").status == 200 for _ in range(20))
    shown = " ".join(platform.cli("traffic", "ill").stdout.split())
    assert "revision 2 was rolled back to revision 1; " in shown and "of its replies failed, 0 of " in shown
    explained = " ".join(platform.cli("explain", "ill").stdout.split())
    assert "revision 2 is rolled back, revision 1 takes all requests again: " in explained


def test_a_revision_that_cannot_start_takes_nothing(platform):
    deploy(platform, "dead", "first")
    assert platform.app("dead").status == 200
    platform.deploy("dead", ["sh", "exits_at_once.sh"], ["exits_at_once.sh"], start={"attempts": 1},
                    rollout={"steps": [50]})
    platform.wait_condition("dead", "failing")
    assert all(platform.app("dead").status == 200 for _ in range(5))
    assert rollout_of(platform, "dead")["stage"] == "starting"
    assert "revision 1 goes on serving" in " ".join(platform.cli("explain", "dead").stdout.split())


def test_it_is_paused_resumed_and_promoted_by_hand(platform):
    begin(platform, "held", every="1h")
    assert "paused" in platform.cli("traffic", "held", "--pause").stdout
    assert rollout_of(platform, "held")["stage"] == "paused"
    platform.cli("traffic", "held", "--resume")
    assert rollout_of(platform, "held")["stage"] == "shifting"
    assert "all to revision 2" in platform.cli("traffic", "held", "--promote").stdout
    refused = platform.cli("traffic", "held", "--abort", code=5)
    assert "no rollout of held is under way" in refused.stderr.lower()


def test_it_is_aborted_by_hand(platform):
    begin(platform, "undone", every="1h")
    shown = platform.cli("traffic", "undone", "--abort").stdout
    assert "all to revision 1" in shown and "revision 2 was rolled back to revision 1; aborted by hand" in " ".join(shown.split())


def test_a_restart_goes_on_with_the_step_and_knows_what_was_rolled_back(make_serve):
    serve = make_serve(options=["--slots", "8"])
    begin(serve, "long", every="1h")
    serve.stop()
    serve.start()
    app = serve.api("GET", "/apps/long").json["app"]
    assert app["rollout"]["stage"] == "shifting" and [s["percent"] for s in app["traffic"]] == [50, 50]
    serve.cli("traffic", "long", "--abort")
    serve.stop()
    serve.start()
    app = serve.api("GET", "/apps/long").json["app"]
    assert app["revision"] == 1 and app["rollout"]["stage"] == "rolled_back" and app["rollout"]["why"] == "aborted by hand"
    assert app["traffic"] == []
