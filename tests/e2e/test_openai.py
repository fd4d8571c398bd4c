"""test_openai: the unmodified `openai` client against an engine app: cold, parked and warm, streamed and plain."""
import json
import re
import shutil
import tempfile
from pathlib import Path

import openai
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gemma"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def app_file(engine):
    """The example app as it stands, with whichever engine tools/engine found."""
    with tempfile.TemporaryDirectory(prefix="kelvin-test-app-") as folder:
        for file in EXAMPLE.iterdir():
            if file.is_file() and file.suffix != ".gguf":
                shutil.copy(file, folder)
        shutil.copy(engine["model"], Path(folder) / "gemma-3-270m-q4_k_m.gguf")
        yield str(Path(folder) / "kelvin.yaml")


@pytest.fixture(scope="module")
def gemma(shared_serve, app_file):
    shared_serve.cli("deploy", app_file)
    return shared_serve


@pytest.fixture(scope="module")
def client(gemma):
    return openai.OpenAI(base_url=gemma.url + "/v1", api_key=gemma.token, timeout=180, max_retries=0)


def bring_to(serve, app_file, temperature):
    if temperature == "cold":
        serve.make_cold("gemma", lambda: serve.cli("deploy", app_file))
        return
    serve.cli("wake", "gemma")
    serve.wait_condition("gemma", "ready")
    if temperature == "parked":
        serve.park("gemma")


def expected_word(engine):
    return "Paris" if engine["kind"] == "real" else "stand-in"


@pytest.mark.parametrize("temperature", ["cold", "parked", "warm"])
@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "plain"])
def test_chat_completion(gemma, client, engine, app_file, temperature, is_streamed):
    bring_to(gemma, app_file, temperature)
    raw = client.chat.completions.with_raw_response.create(model="gemma", messages=QUESTION, max_tokens=40,
                                                           temperature=0, stream=is_streamed)
    answer = raw.parse()
    if is_streamed:
        pieces = [chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices]
        text = "".join(pieces)
        assert sum(1 for piece in pieces if piece) > 2
    else:
        text = answer.choices[0].message.content
        assert answer.usage.completion_tokens > 0
    assert expected_word(engine) in text
    waited_for = raw.headers.get("kelvin-cold-start")
    assert waited_for == (None if temperature == "warm" else temperature)
    assert raw.headers["kelvin-request-id"].startswith("q")
    phases = raw.headers["server-timing"]
    if temperature == "cold":
        assert "start" in phases and "load" in phases
    if temperature == "parked":
        assert "resume" in phases


def test_models_list_names_the_apps(gemma, client):
    assert "gemma" in [model.id for model in client.models.list()]


def test_a_wrong_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gemmma", messages=QUESTION)
    assert caught.value.code == "model_not_found" and "gemmma" in str(caught.value)


def test_a_wrong_key_is_an_authentication_error(gemma):
    stranger = openai.OpenAI(base_url=gemma.url + "/v1", api_key="kv_AAAAAAAA_" + "A" * 43, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.chat.completions.create(model="gemma", messages=QUESTION)
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_a_key_with_invoke_is_enough_and_does_not_reach_the_app(gemma):
    gemma.deploy_echo("echo")
    secret = gemma.json("keys", "create", "invoker", "--scope", "invoke")["secret"]
    client = openai.OpenAI(base_url=gemma.url + "/v1", api_key=secret, max_retries=0, timeout=180)
    assert client.chat.completions.create(model="gemma", messages=QUESTION, max_tokens=5).choices
    headers = gemma.app("echo", "/headers", headers={"Authorization": "Bearer " + secret}).json
    assert secret not in str(headers)


def test_two_model_keys_are_refused(gemma):
    body = '{"model": "gemma", "model": "other", "messages": []}'
    reply = gemma.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    assert reply.status == 400 and reply.json["error"]["code"]


# --- Kelvin-Progress: comments in front of the stream -----------------------------------------------------------------------

PROGRESS = {"Kelvin-Progress": "1"}


@pytest.fixture
def talkative(make_serve, engine):
    """A platform that comments on every wait almost at once."""
    return make_serve(options=["--limit", "progress-after=20ms", "--limit", "progress-every=100ms"],
                      path_folders=[engine["folder"]])


def client_of(serve):
    return openai.OpenAI(base_url=serve.url + "/v1", api_key=serve.token, timeout=180, max_retries=0)


def test_comments_about_a_cold_start_do_not_disturb_the_client(talkative, engine, app_file):
    talkative.cli("deploy", app_file)
    raw = client_of(talkative).chat.completions.with_raw_response.create(
        model="gemma", messages=QUESTION, max_tokens=40, temperature=0, stream=True, extra_headers=PROGRESS)
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert "kelvin-cold-start" not in raw.headers, "the head came before the start was over"
    pieces = [chunk.choices[0].delta.content or "" for chunk in raw.parse() if chunk.choices]
    assert expected_word(engine) in "".join(pieces)
    # Warm, nothing is said that would not be said anyway.
    warm = client_of(talkative).chat.completions.with_raw_response.create(
        model="gemma", messages=QUESTION, max_tokens=4, stream=True, extra_headers=PROGRESS)
    assert warm.headers["kelvin-replica"] and not warm.http_response.read().startswith(b":")


def test_comments_say_the_place_the_stage_and_who_serves(talkative, app_file):
    talkative.cli("deploy", app_file)
    body = json.dumps({"model": "gemma", "messages": QUESTION, "max_tokens": 4, "stream": True})
    reply = talkative.request("POST", "/v1/chat/completions", body, {
        "Content-Type": "application/json", "Authorization": f"Bearer {talkative.token}", **PROGRESS})
    lines = [line for line in reply.text.splitlines() if line]
    comments = [line for line in lines if line.startswith(":")]
    assert lines[:len(comments)] == comments, "they stand in front"
    for line in comments[:-1]:
        assert re.fullmatch(r": place 1 of 1; replica r\d+-\d+ (has been \w+ for [\w. ]+|is planned \(.+\))", line), line
    assert re.fullmatch(r": served by r\d+-\d+ \(cold\); queue;dur=[\d.]+, start;dur=.*load;dur=[\d.]+", comments[-1])
    assert all(line.startswith("data: ") for line in lines[len(comments):]) and lines[-1] == "data: [DONE]"


def test_a_start_that_fails_after_a_comment_is_an_error_of_the_client(talkative):
    talkative.deploy("bad", ["sh", "never_listens.sh"], ["never_listens.sh"], start={"progress": "2s", "attempts": 1})
    stream = client_of(talkative).chat.completions.create(
        model="bad", messages=QUESTION, stream=True, extra_headers=PROGRESS)
    with pytest.raises(openai.APIError) as caught:
        for _ in stream:
            pytest.fail("it never said anything")
    assert "progress" in str(caught.value) and caught.value.code
