"""test_websocket: an unmodified WebSocket client in front, an unmodified WebSocket server as the app."""
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from serving import wait_until

PATIENCE_S = 60


def deploy(serve, packages, **keys):
    scale = {"min": 0, "max": 1, "concurrency": 32}
    serve.deploy("chat", ["/usr/bin/python3", "websocket_app.py"], ["websocket_app.py"], env={"PYTHONPATH": str(packages)},
                 **{"scale": scale, **keys})


@pytest.fixture(scope="module")
def platform(shared_serve, python_packages):
    deploy(shared_serve, python_packages)
    return shared_serve


def open_socket(serve, path="/echo", **keys):
    """The name is not looked up: the connection goes to the platform."""
    options = {"open_timeout": PATIENCE_S, "close_timeout": PATIENCE_S, "max_size": None, "ping_interval": None, "proxy": None}
    return connect(f"ws://chat.localhost:{serve.port}{path}", address=("127.0.0.1", serve.port), **{**options, **keys})


def ended(serve):
    with open_socket(serve, "/ended") as client:
        return json.loads(client.recv(PATIENCE_S))


def wait_idle(serve):
    wait_until(lambda: all(replica["in_flight"] == 0 for replica in serve.live_replicas("chat")), "every slot has been given back")


def test_messages_pass_from_cold(platform, python_packages):
    platform.make_cold("chat", lambda: deploy(platform, python_packages))
    with open_socket(platform) as client:
        assert client.response.headers["Kelvin-Cold-Start"] == "cold"
        for message in ("text", b"bytes", "", "äöü " * 100):
            client.send(message)
            assert client.recv(PATIENCE_S) == message
        assert [replica["in_flight"] for replica in platform.live_replicas("chat")] == [1]
    wait_idle(platform)


def test_an_open_socket_keeps_its_replica_awake(platform):
    with open_socket(platform) as client:
        platform.cli("park", "chat")
        assert platform.states("chat") == ["ready"]
        client.send("still here")
        assert client.recv(PATIENCE_S) == "still here"
    wait_idle(platform)
    platform.park("chat")
    with open_socket(platform) as client:
        assert client.response.headers["Kelvin-Cold-Start"] == "parked"
        client.send("again")
        assert client.recv(PATIENCE_S) == "again"


def test_a_close_from_the_client_reaches_the_server_with_its_code(platform):
    before = ended(platform)
    with open_socket(platform) as client:
        client.close(4001, "done here")
        assert client.close_code == 4001  # the server answered the close frame
    wait_until(lambda: ended(platform) == before + [4001], "the server has seen the code")
    wait_idle(platform)


def test_a_close_from_the_server_reaches_the_client_with_its_code(platform):
    with open_socket(platform, "/close?code=4002") as client:
        assert client.recv(PATIENCE_S) == "bye"
        with pytest.raises(ConnectionClosed) as raised:
            client.recv(PATIENCE_S)
    assert (raised.value.rcvd.code, raised.value.rcvd.reason) == (4002, "as asked")
    wait_idle(platform)


def test_a_client_that_vanishes_ends_the_tunnel(platform):
    before = ended(platform)
    with open_socket(platform) as client:
        client.send("x")
        assert client.recv(PATIENCE_S) == "x"
        client.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: ended(platform) == before + [1006], "the server has seen the connection end")
    wait_idle(platform)


def test_large_messages_pass_whole(platform):
    message = bytes(range(256)) * 32768  # 8 MiB
    with open_socket(platform) as client:
        client.send(message)
        assert client.recv(PATIENCE_S) == message
        client.send([message[:1000], message[1000:]])  # in fragments
        assert client.recv(PATIENCE_S) == message
    with open_socket(platform, "/push?bytes=20000000") as client:
        assert len(client.recv(PATIENCE_S)) == 20_000_000


def test_messages_come_without_being_asked(platform):
    with open_socket(platform, "/count?n=500") as client:
        assert list(client) == [str(number) for number in range(500)]


def test_pings_pass_both_ways(platform):
    with open_socket(platform) as client:
        assert client.ping().wait(PATIENCE_S)


def test_extensions_and_subprotocols_are_between_client_and_server(platform):
    with open_socket(platform, subprotocols=["chat.v1"], compression="deflate") as client:
        assert client.subprotocol == "chat.v1" and "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
        client.send("again and " * 1000)
        assert client.recv(PATIENCE_S) == "again and " * 1000


def test_a_server_that_refuses_the_upgrade_answers_itself(platform):
    with pytest.raises(InvalidStatus) as raised:
        open_socket(platform, "/fail")
    assert raised.value.response.status_code == 403 and raised.value.response.body == b"not you\n"
    wait_idle(platform)


def test_many_sockets_at_once(platform):
    def one(number):
        with open_socket(platform) as client:
            for at in range(20):
                client.send(f"{number} {at}")
                assert client.recv(PATIENCE_S) == f"{number} {at}"

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(48)))  # more than there are slots: some wait
    wait_idle(platform)


def wait_for_end_of_idle_connections(serve, times):
    """Time passes: so often the platform closes a kept connection without a request, one after the other."""
    for _ in range(times):
        with serve.connect() as idle:
            assert idle.recv(1) == b""


def test_no_limit_on_requests_cuts_a_silent_tunnel(make_serve, python_packages):
    limits = ("idle-time=1s", "body-idle-time=1s", "write-idle-time=1s", "header-time=1s", "upstream-idle-time=1s")
    serve = make_serve(options=[word for limit in limits for word in ("--limit", limit)])
    deploy(serve, python_packages, timeout="1s")
    with open_socket(serve) as client:
        wait_for_end_of_idle_connections(serve, 3)
        client.send("still here")
        assert client.recv(PATIENCE_S) == "still here"
    wait_idle(serve)


def test_a_tunnel_is_cut_after_its_own_limit_of_silence(make_serve, python_packages):
    serve = make_serve(options=["--limit", "tunnel-idle-time=1s"])
    deploy(serve, python_packages)
    with open_socket(serve) as client:
        with pytest.raises(ConnectionClosed) as raised:
            client.recv(PATIENCE_S)
        assert raised.value.rcvd is None  # no close frame: the connection just ended
    wait_until(lambda: ended(serve)[:1] == [1006], "the server has seen it too")
    wait_idle(serve)
