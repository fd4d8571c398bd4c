"""test_grpc: an unmodified gRPC client in front, an unmodified gRPC server as the app behind `protocol: h2c`."""
import json
import queue
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serving import wait_until

SERVICE = "kelvin.test.Echo"
PATIENCE_S = 60
CALLS = {"Unary": "unary_unary", "Count": "unary_stream", "Join": "stream_unary", "Chat": "stream_stream", "Fail": "unary_unary",
         "Hang": "unary_stream", "Hung": "unary_unary", "Metadata": "unary_unary", "NoSuchMethod": "unary_unary"}


def deploy(serve, packages, **keys):
    scale = {"min": 0, "max": 1, "concurrency": 32}
    serve.deploy("grpc", ["/usr/bin/python3", "grpc_app.py"], ["grpc_app.py"], protocol="h2c", env={"PYTHONPATH": str(packages)},
                 **{"scale": scale, **keys})


@pytest.fixture(scope="module")
def platform(shared_serve, python_packages):
    deploy(shared_serve, python_packages)
    return shared_serve


@pytest.fixture
def open_channel(platform):
    made = []

    def open_one(app="grpc", serve=platform):
        options = [("grpc.default_authority", f"{app}.localhost:{serve.port}"), ("grpc.enable_http_proxy", 0),
                   ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        made.append(grpc.insecure_channel(f"127.0.0.1:{serve.port}", options=options))
        return made[-1]

    yield open_one
    for channel in made:
        channel.close()


@pytest.fixture
def channel(open_channel):
    return open_channel()


def method(channel, name):
    """The call of that name, with messages of bytes."""
    call = getattr(channel, CALLS[name])(f"/{SERVICE}/{name}")
    return lambda message=b"", **keys: call(message, **{"timeout": PATIENCE_S, **keys})


def begun_and_ended(channel):
    return tuple(map(int, method(channel, "Hung")().split()))


def in_flight(serve, app="grpc"):
    return sum(replica["in_flight"] for replica in serve.live_replicas(app))


def wait_idle(serve):
    wait_until(lambda: in_flight(serve) == 0, "every slot has been given back")


def test_every_kind_of_call_passes_from_cold(platform, python_packages, open_channel):
    for name, message, expected in [("Unary", b"one", b"one"), ("Count", b"3", [b"0", b"1", b"2"]),
                                    ("Join", [b"a", b"b"], b"ab"), ("Chat", [b"a", b"b"], [b"a", b"b"])]:
        platform.make_cold("grpc", lambda: deploy(platform, python_packages))
        call = method(open_channel(), name)(iter(message) if isinstance(message, list) else message)
        assert (call if isinstance(call, bytes) else list(call)) == expected, name


def test_a_parked_app_wakes_for_a_call(platform, channel):
    assert method(channel, "Unary")(b"first") == b"first"
    wait_idle(platform)
    platform.park("grpc")
    assert method(channel, "Unary")(b"again") == b"again"


def test_metadata_passes_both_ways(channel):
    call = channel.unary_unary(f"/{SERVICE}/Unary")
    reply, outcome = call.with_call(b"x", timeout=PATIENCE_S, metadata=[("x-ask", "spoken")])
    assert reply == b"x" and outcome.code() == grpc.StatusCode.OK
    first, last = dict(outcome.initial_metadata()), dict(outcome.trailing_metadata())
    assert first["x-first"] == "spoken" and last["x-last"] == "spoken" and last["x-last-bin"] == bytes(range(256))
    assert first["kelvin-request-id"] and first["kelvin-replica"]

    seen = dict(json.loads(method(channel, "Metadata")(metadata=[("x-own", "1"), ("kelvin-priority", "high")])))
    assert seen["x-own"] == "1" and seen["x-forwarded-proto"] == "http" and "kelvin-priority" not in seen
    assert seen["user-agent"].startswith("grpc-python")


def test_messages_of_every_size_pass(channel):
    for size in (0, 1, 16_383, 16_384, 65_535, 65_536, 1_000_003, 8 * 1024 * 1024):
        message = (bytes(range(251)) * (size // 251 + 1))[:size]
        assert method(channel, "Unary")(message) == message


def test_a_stream_of_replies_passes_whole(channel):
    assert list(method(channel, "Count")(b"2000")) == [str(number).encode() for number in range(2000)]


def test_a_stream_of_requests_passes_whole(channel):
    messages = [bytes([number % 256]) * 10_000 for number in range(500)]
    assert method(channel, "Join")(iter(messages)) == b"".join(messages)


def test_both_sides_speak_in_turns(channel):
    spoken = queue.SimpleQueue()
    call = method(channel, "Chat")(iter(spoken.get, None))
    for number in range(50):
        spoken.put(f"said {number}".encode())
        assert next(call) == f"said {number}".encode()  # each reply comes before the next request is sent
    spoken.put(None)
    assert list(call) == [] and call.code() == grpc.StatusCode.OK


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code != grpc.StatusCode.OK])
def test_every_status_passes_with_its_details_and_trailers(channel, code):
    with pytest.raises(grpc.RpcError) as raised:
        method(channel, "Fail")(str(code.value[0]).encode())
    assert raised.value.code() == code
    assert raised.value.details() == "it failed: 100 % äöü\nas asked"
    assert dict(raised.value.trailing_metadata())["x-why"] == "asked for"


def test_what_the_server_does_not_serve_is_its_own_answer(channel):
    with pytest.raises(grpc.RpcError) as raised:
        method(channel, "NoSuchMethod")(b"")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED and raised.value.details() == "Method not found!"


def test_an_unknown_app_is_an_error_that_says_so(open_channel):
    with pytest.raises(grpc.RpcError) as raised:
        method(open_channel("nobody"), "Unary")(b"")
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED, raised.value


def test_a_cancelled_call_ends_at_the_server_and_frees_its_slot(platform, channel):
    begun, ended = begun_and_ended(channel)
    call = method(channel, "Hang")(b"")
    assert next(call) == b"hanging" and in_flight(platform) >= 1
    call.cancel()
    wait_until(lambda: begun_and_ended(channel) == (begun + 1, ended + 1), "the server has been told")
    wait_idle(platform)


def test_a_deadline_that_passes_ends_the_call_on_both_sides(platform, channel):
    assert method(channel, "Unary")(b"warm") == b"warm"
    begun, ended = begun_and_ended(channel)
    with pytest.raises(grpc.RpcError) as raised:
        list(method(channel, "Hang")(b"", timeout=1))
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_idle(platform)
    # On a slow machine the deadline may pass before the call gets to the server.
    now = begun_and_ended(channel)
    assert now in ((begun + 1, ended + 1), (begun, ended))


def test_a_deadline_that_passes_while_an_app_starts_leaves_nothing_behind(make_serve, python_packages, open_channel):
    serve = make_serve()
    deploy(serve, python_packages)
    with pytest.raises(grpc.RpcError) as raised:
        method(open_channel(serve=serve), "Unary")(b"", timeout=0.05)  # less than Python needs to import grpc
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert method(open_channel(serve=serve), "Unary")(b"later") == b"later"
    wait_idle(serve)


def test_many_calls_at_once_on_one_channel(platform, channel):
    def one(number):
        if number % 3 == 0:
            return method(channel, "Join")(iter([b"%d." % number] * 20)) == b"%d." % number * 20
        if number % 3 == 1:
            return list(method(channel, "Count")(b"%d" % number)) == [b"%d" % at for at in range(number)]
        return method(channel, "Unary")(b"%d" % number) == b"%d" % number

    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(one, range(300)))
    wait_idle(platform)


def test_more_calls_than_slots_wait_for_their_turn(make_serve, python_packages, open_channel):
    serve = make_serve()
    deploy(serve, python_packages, scale={"min": 0, "max": 1, "concurrency": 2})
    channel = open_channel(serve=serve)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(method(channel, "Unary"), [b"%d" % number for number in range(64)])) == [b"%d" % n for n in range(64)]
    assert len(serve.live_replicas("grpc")) == 1
    wait_idle(serve)


def test_a_channel_that_closes_frees_every_slot(platform, open_channel):
    channel = open_channel()
    calls = [method(channel, "Hang")(b"") for _ in range(8)]
    assert [next(call) for call in calls] == [b"hanging"] * 8
    channel.close()
    wait_idle(platform)
