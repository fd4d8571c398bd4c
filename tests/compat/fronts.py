"""fronts: Kelvin, nginx and haproxy as reverse proxies, each in front of recording programs of its own.

A front has several lanes, addresses at which it listens or hosts that it knows, each with one recording program behind it, so that
what a program saw belongs to the one connection that was open in its lane.
"""
import os
import socket
import subprocess
import sys
from pathlib import Path

from serving import PROGRAMS, Serve, wait_until

LANES = 10
PATIENCE_S = 120
# A peer that waits for bytes which do not come gives up after this; so does Kelvin.
STALL_S = 5

NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_header_timeout {stall}s; client_body_timeout {stall}s; keepalive_timeout {stall}s; proxy_read_timeout {stall}s;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Connection "";
  proxy_buffering off;
  proxy_request_buffering off;
  {servers}
}}
"""
NGINX_SERVER = "server {{ listen unix:{front}; location / {{ proxy_pass http://unix:{app}:; }} }}\n"

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client {stall}s
  timeout server {stall}s
  timeout http-request {stall}s
  timeout http-keep-alive {stall}s
{servers}
"""
HAPROXY_SERVER = """
listen lane{lane}
  bind unix@{front}
  server app unix@{app}
"""


class Lane:
    """One way through a front: where to connect, what to call it, and where its program records."""

    def __init__(self, number, folder):
        self.host = f"lane{number}.localhost"
        self.records = folder / f"lane{number}"
        self.records.mkdir(parents=True)
        self.records.chmod(0o777)  # its program may be another user
        self.address = None  # of a TCP port, or the path of a socket

    def send(self, data):
        """What comes back on a connection that sends these bytes, and what its program received, by connection."""
        received = b""
        with connect(self.address) as connection:
            try:
                connection.sendall(data)
                while block := connection.recv(65536):
                    received += block
            except ConnectionError:
                pass
        return received, self.take_records()

    def take_records(self):
        wait_until(lambda: not list(self.records.glob("*.open")), f"every connection in {self.records} has ended", pause=0.002)
        found = []
        for path in sorted(self.records.glob("*.done")):
            found.append(path.read_bytes())
            path.unlink()
        return [raw for raw in found if raw]


class KelvinFront:
    name = "kelvin"

    def __init__(self, folder, binary):
        limits = ("header-time", "body-idle-time", "idle-time", "write-idle-time")
        self.serve = Serve(binary, options=["--slots", str(LANES)] + [word for name in limits
                                                                      for word in ("--limit", f"{name}={STALL_S}s")])
        self.lanes = [Lane(number, folder / self.name) for number in range(LANES)]

    def start(self):
        self.serve.start()
        for number, lane in enumerate(self.lanes):
            lane.address = ("127.0.0.1", self.serve.port)
            self.serve.deploy(f"lane{number}", ["/usr/bin/python3", "raw_app.py"], ["raw_app.py"], env={"RECORDS": str(lane.records)},
                              timeout=f"{STALL_S}s", scale={"min": 1, "max": 1, "concurrency": 8})
        for number, lane in enumerate(self.lanes):
            self.serve.wait_condition(f"lane{number}", "ready")
            lane.take_records()

    def stop(self):
        self.serve.destroy()


class Peer:
    """A proxy of Debian, with one recording program per lane beside it."""

    def __init__(self, folder):
        self.folder = folder / self.name
        self.lanes = [Lane(number, self.folder) for number in range(LANES)]
        self.processes = []

    def run(self, command, **environment):
        with open(self.folder / "output", "ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                   env={**os.environ, **environment}))

    def start(self):
        servers, apps = "", []
        for number, lane in enumerate(self.lanes):
            lane.address, app = str(self.folder / f"front{number}"), str(self.folder / f"app{number}")
            apps.append(app)
            self.run([sys.executable, PROGRAMS / "raw_app.py"], LISTEN=app, RECORDS=str(lane.records))
            servers += self.server.format(lane=number, front=lane.address, app=app)
        file = self.folder / "conf"
        file.write_text(self.form.format(folder=self.folder, stall=STALL_S, servers=servers), encoding="ascii")
        self.run([*self.command, str(file)])
        for address in [*apps, *(lane.address for lane in self.lanes)]:
            wait_until(lambda address=address: is_listening(address), f"{self.name} or what is behind it listens at {address}")
        for lane in self.lanes:
            lane.take_records()

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(PATIENCE_S)


class NginxFront(Peer):
    name, form, server = "nginx", NGINX, NGINX_SERVER

    @property
    def command(self):
        return ["/usr/sbin/nginx", "-e", str(self.folder / "nginx.log"), "-p", str(self.folder), "-c"]


class HaproxyFront(Peer):
    name, form, server = "haproxy", HAPROXY, HAPROXY_SERVER
    command = ["/usr/sbin/haproxy", "-q", "-db", "-f"]


def connect(address):
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout=PATIENCE_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def is_listening(address):
    try:
        connect(address).close()
        return True
    except OSError:
        return False


def make_fronts(folder, binary):
    return [KelvinFront(Path(folder), binary), NginxFront(Path(folder)), HaproxyFront(Path(folder))]
