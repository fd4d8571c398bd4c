#!/usr/bin/python3
"""grpc_app: a gRPC server on $PORT, with messages of plain bytes instead of generated ones. It needs grpcio on PYTHONPATH.

    Unary       the request, sent back; its metadata x-ask comes back in x-first (initial) and x-last (trailing)
    Count       for a number N: N messages "0", "1", ... one at a time
    Join        all messages of the request, joined
    Chat        every message of the request, sent back as it comes
    Fail        ends with the status code whose number is the request, details and trailing metadata
    Hang        sends one message, then nothing until the call ends
    Hung        how many calls of Hang there were and how many of them have ended, as "BEGUN ENDED"
    Metadata    JSON of the request's metadata
"""
import json
import os
import threading
from concurrent import futures

import grpc

SERVICE = "kelvin.test.Echo"


class Echo:
    def __init__(self):
        self.lock = threading.Lock()
        self.begun, self.ended = 0, 0

    def unary(self, message, context):
        asked = dict(context.invocation_metadata()).get("x-ask", "nothing")
        context.send_initial_metadata([("x-first", asked)])
        context.set_trailing_metadata([("x-last", asked), ("x-last-bin", bytes(range(256)))])
        return message

    def count(self, message, _):
        for number in range(int(message)):
            yield str(number).encode()

    def join(self, messages, _):
        return b"".join(messages)

    def chat(self, messages, _):
        yield from messages

    def fail(self, message, context):
        context.set_trailing_metadata([("x-why", "asked for")])
        [code] = [code for code in grpc.StatusCode if code.value[0] == int(message)]
        context.abort(code, "it failed: 100 % äöü\nas asked")

    def hang(self, _, context):
        with self.lock:
            self.begun += 1
        over = threading.Event()
        # False: the call has ended already.
        if not context.add_callback(over.set):
            over.set()
        yield b"hanging"
        over.wait()
        with self.lock:
            self.ended += 1

    def hung(self, _, __):
        with self.lock:
            return f"{self.begun} {self.ended}".encode()

    def metadata(self, _, context):
        return json.dumps([[name, str(value)] for name, value in context.invocation_metadata()]).encode()


def main():
    echo = Echo()
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(echo.unary),
        "Count": grpc.unary_stream_rpc_method_handler(echo.count),
        "Join": grpc.stream_unary_rpc_method_handler(echo.join),
        "Chat": grpc.stream_stream_rpc_method_handler(echo.chat),
        "Fail": grpc.unary_unary_rpc_method_handler(echo.fail),
        "Hang": grpc.unary_stream_rpc_method_handler(echo.hang),
        "Hung": grpc.unary_unary_rpc_method_handler(echo.hung),
        "Metadata": grpc.unary_unary_rpc_method_handler(echo.metadata),
    }
    server = grpc.server(futures.ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    if server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}") == 0:
        raise SystemExit("the port cannot be had")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
