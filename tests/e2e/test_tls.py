"""test_tls: certificates by name, renewed while serving, and no plain text beyond this machine by accident."""
import http.client
import json
import os
import socket
import ssl
import subprocess

import pytest

from serving import free_port, wait_until


class Certificates:
    """Certificates that sign themselves, in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def make(self, name, *dns_names):
        """The options of serve that name it."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days",
                        "90", "-subj", "/CN=test", "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in dns_names),
                        "-keyout", f"{key}.fresh", "-out", f"{certificate}.fresh"], check=True, capture_output=True)
        for path in (certificate, key):
            os.replace(f"{path}.fresh", path)
        key.chmod(0o600)
        return ["--tls-cert", certificate, "--tls-key", key]


def connect(port, name, protocols=()):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname=name)


def shown_certificate(port, name):
    with connect(port, name) as connection:
        return connection.getpeercert(binary_form=True)


def pem_bytes(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def request(port, path, host, headers=None):
    """One request over TLS; status, body."""
    with connect(port, host.split(":")[0]) as connection:
        fields = "".join(f"{n}: {v}\r\n" for n, v in (headers or {}).items())
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n".encode())
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply.status, reply.read()


def curl(port, name, authority, *options):
    """What curl makes of /healthz at https://NAME: protocol version and status."""
    run = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", authority, "--resolve", f"{name}:{port}:127.0.0.1",
                          "-o", "/dev/null", "-w", "%{http_version} %{response_code}", *options, f"https://{name}:{port}/healthz"],
                         capture_output=True, text=True, timeout=60, check=False)
    return run.stdout if run.returncode == 0 else run.stderr


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


@pytest.fixture
def secure(make_serve, certificates):
    """A platform that speaks plain text on loopback and TLS on a second port."""
    port = free_port()
    serve = make_serve(options=["--listen", f"https://127.0.0.1:{port}", *certificates.make("box", "box.example"),
                                *certificates.make("lab", "*.lab.example")])
    serve.secure_port = port
    return serve


def test_the_certificate_is_the_one_for_the_name(secure, certificates):
    box, lab = pem_bytes(certificates.folder / "box.pem"), pem_bytes(certificates.folder / "lab.pem")
    assert shown_certificate(secure.secure_port, "box.example") == box
    assert shown_certificate(secure.secure_port, "a.lab.example") == lab
    assert shown_certificate(secure.secure_port, "elsewhere.example") == box


def test_both_protocols_are_offered(secure):
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
        with connect(secure.secure_port, "box.example", offered) as connection:
            assert connection.selected_alpn_protocol() == chosen
            assert connection.version() == "TLSv1.3"


def test_curl_speaks_both_and_checks_the_certificate(secure, certificates):
    box, lab = certificates.folder / "box.pem", certificates.folder / "lab.pem"
    assert curl(secure.secure_port, "box.example", box, "--http1.1") == "1.1 200"
    assert curl(secure.secure_port, "box.example", box, "--http2") == "2 200"
    assert "certificate" in curl(secure.secure_port, "a.lab.example", box), "the other certificate is shown"
    assert curl(secure.secure_port, "a.lab.example", lab) == "2 200"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_of_tls_are_refused(secure):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", secure.secure_port), timeout=30) as plain:
        with pytest.raises(ssl.SSLError) as refusal:
            context.wrap_socket(plain, server_hostname="box.example")
    assert refusal.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_plain_http_at_the_tls_port_is_told_so(secure):
    connection = http.client.HTTPConnection("127.0.0.1", secure.secure_port, timeout=30)
    connection.request("GET", "/healthz")
    reply = connection.getresponse()
    assert reply.status == 400 and b"https://" in reply.read()
    connection.close()


def test_the_command_line_trusts_what_it_is_told_to(secure, certificates):
    certificates.make("box", "box.example", "localhost")
    box = certificates.folder / "box.pem"
    wait_until(lambda: shown_certificate(secure.secure_port, "localhost") == pem_bytes(box), "the new certificate is shown")
    there = {"KELVIN_SERVER": f"https://localhost:{secure.secure_port}"}
    refused = secure.cli("status", env=there, code=7).stderr
    assert "is not trusted" in refused and "KELVIN_CA" in refused
    there["KELVIN_CA"] = str(box)
    assert json.loads(secure.cli("status", "--json", env=there).stdout)["pid"] == secure.process.pid
    secure.deploy_echo("echo", wait=True)
    assert secure.cli("call", "echo", "/say?text=hello", env=there).stdout == "said\n"
    assert "hello" in secure.cli("logs", "echo", env=there).stdout
    other = f"https://127.0.0.1:{secure.secure_port}"
    assert "use an address that is in the certificate" in secure.cli("status", "--server", other, env=there, code=7).stderr
    assert "KELVIN_CA" in secure.cli("status", env={**there, "KELVIN_CA": "/nowhere.pem"}, code=2).stderr


def test_an_app_hears_that_the_client_came_by_tls(secure):
    secure.deploy_echo("echo", wait=True)
    status, body = request(secure.secure_port, "/headers", f"echo.localhost:{secure.secure_port}")
    assert status == 200
    seen = {name.lower(): value for name, value in json.loads(body)}
    assert seen["x-forwarded-proto"] == "https" and "proto=https" in seen["forwarded"]


def test_names_of_certificates_are_names_of_the_server(secure):
    host = f"box.example:{secure.secure_port}"
    key = {"Authorization": f"Bearer {secure.token}"}
    assert request(secure.secure_port, "/v1/models", host, key)[0] == 200
    assert request(secure.secure_port, "/api/v1/apps", host, key)[0] == 200
    assert request(secure.secure_port, "/api/v1/apps", f"evil.example:{secure.secure_port}", key)[0] == 403


def test_a_renewed_certificate_is_used_without_a_restart(secure, certificates):
    with connect(secure.secure_port, "box.example") as before:
        certificates.make("box", "box.example")
        renewed = pem_bytes(certificates.folder / "box.pem")
        wait_until(lambda: shown_certificate(secure.secure_port, "box.example") == renewed, "the new certificate is shown")
        before.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert before.recv(12) == b"HTTP/1.1 200", "an open connection goes on"
    (certificates.folder / "box.key").write_text("this is no key")
    wait_until(lambda: "box.key holds no private key" in secure.log(), "the log names the file")
    assert shown_certificate(secure.secure_port, "box.example") == renewed


def test_a_platform_that_speaks_tls_only_says_so_in_serve_json(certificates, make_serve):
    serve = make_serve()
    serve.stop()
    port = free_port()
    process = subprocess.Popen([serve.binary, "serve", "--data", serve.data, "--listen", f"https://0.0.0.0:{port}",
                                *certificates.make("box", "box.example")], env=serve.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        written = wait_until(lambda: (serve.data / "serve.json").exists() and (serve.data / "serve.json").read_text(),
                             "serve.json is written")
        assert json.loads(written)["listen"] == f"https://0.0.0.0:{port}"
        assert request(port, "/healthz", "localhost")[0] == 200
    finally:
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.parametrize("options, says", [
    (["--listen", "0.0.0.0:0"], "--insecure-listen"),
    (["--listen", "https://127.0.0.1:0"], "--tls-cert FILE --tls-key FILE"),
    (["--tls-cert", "a.pem"], "each --tls-cert needs its --tls-key"),
])
def test_what_would_be_unsafe_is_refused_with_the_way_out(make_serve, options, says):
    serve = make_serve()
    run = subprocess.run([serve.binary, "serve", "--data", serve.data, *options], env=serve.environment, text=True,
                         capture_output=True, timeout=60, check=False)
    assert run.returncode == 2 and says in run.stderr


def test_plain_text_beyond_this_machine_needs_a_key_for_apps(make_serve):
    port = free_port()
    serve = make_serve(options=["--listen", f"0.0.0.0:{port}", "--insecure-listen"])
    serve.deploy_echo("echo", wait=True)
    assert serve.app("echo").status == 401
    assert serve.app("echo", headers={"Authorization": f"Bearer {serve.token}"}).status == 200


def test_apps_are_open_to_others_only_by_an_option(make_serve):
    port = free_port()
    serve = make_serve(options=["--listen", f"0.0.0.0:{port}", "--insecure-listen", "--open-apps"])
    serve.deploy_echo("echo", wait=True)
    assert serve.app("echo").status == 200
    assert serve.request("GET", "/api/v1/apps").status == 401, "management needs a key as ever"


def test_a_key_that_cannot_be_used_is_refused_by_name(make_serve, certificates):
    serve = make_serve()
    serve.stop()

    def complaint(options):
        run = subprocess.run([serve.binary, "serve", "--data", serve.data, "--listen", "https://127.0.0.1:0", *options],
                             env=serve.environment, text=True, capture_output=True, timeout=60, check=False)
        assert run.returncode == 1
        return run.stderr

    box, lab = certificates.make("box", "box.example"), certificates.make("lab", "lab.example")
    wrong = complaint([*box[:3], lab[3]])
    assert f"{certificates.folder}/lab.key is not the key of {certificates.folder}/box.pem" in wrong
    (certificates.folder / "box.key").chmod(0o644)
    assert "chmod o=" in complaint(box)
