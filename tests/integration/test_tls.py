"""TLS: one context a listener, resumption, ALPN, client certificates, hostile and silent peers."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
from signal import SIGHUP

import pytest

from tests.support.certificates import certificates
from tests.support.client import Connection
from tests.support.load import Load
from tests.support.processes import eventually
from tests.support.server import Server

ECHO = "tests.apps.echo:app"
HELLO = "tests.apps.hello:app"


def test_requests_over_tls(worker):
    with Server(ECHO, *worker, tls=True) as server, server.connect() as connection:
        for _ in range(3):
            seen = json.loads(connection.request("POST", "/", (), b"x" * 50_000).body)
            assert seen["environ"]["wsgi.url_scheme"] == "https"
            assert seen["size"] == 50_000
        assert f"https://127.0.0.1:{server.port}" in server.log()
        assert connection.tls.version() in ("TLSv1.2", "TLSv1.3")


def test_alpn_answers_http_1_1(worker):
    with Server(HELLO, *worker, tls=True) as server:
        context = certificates().client_context(alpn=("h2", "http/1.1"))
        with Connection(server.address, tls=context) as connection:
            assert connection.tls.selected_alpn_protocol() == "http/1.1"
            assert connection.request().status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(worker):
    with Server(HELLO, *worker, tls=True) as server:
        context = certificates().client_context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Connection(server.address, tls=context)
        assert server.get().status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume(worker, version):
    """Also across workers: the context is made once, before the fork or with shared ticket keys."""
    with Server(HELLO, *worker, "-w", "1", tls=True) as server:
        context = certificates().client_context()
        context.minimum_version = context.maximum_version = version
        with Connection(server.address, tls=context) as first:
            assert first.request().status == 200
            session = first.tls.session
        with Connection(server.address, tls=context, session=session) as second:
            assert second.request().status == 200
            assert second.tls.session_reused


@pytest.mark.parametrize("shows", [True, False])
def test_client_certificates_are_required(worker, shows):
    made = certificates()
    with Server(HELLO, *worker, "--cert-reqs", "2", "--ca-certs", str(made.ca), tls=True) as server:
        context = made.client_context(client=shows)
        if shows:
            with Connection(server.address, tls=context) as connection:
                assert connection.request().status == 200
        else:
            # TLS 1.3: the refusal comes after the client's handshake is complete.
            with pytest.raises((ssl.SSLError, ConnectionError)), Connection(server.address, tls=context) as connection:
                connection.request()


def test_the_context_hook_decides(worker):
    config = (
        "import ssl\n"
        "def ssl_context(config, default_factory):\n"
        "    context = default_factory()\n"
        "    context.minimum_version = ssl.TLSVersion.TLSv1_3\n"
        "    return context\n"
    )
    with Server(HELLO, *worker, tls=True, config=config) as server:
        with server.connect() as connection:
            assert connection.tls.version() == "TLSv1.3"
            assert connection.request().status == 200
        context = certificates().client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Connection(server.address, tls=context)


def test_silent_peers_time_out_in_the_handshake_and_disturb_nobody(worker):
    with Server(HELLO, *worker, "-w", "1", "--tls-handshake-timeout", "1", tls=True) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port), timeout=8) for _ in range(50)]
        half = [socket.create_connection(("127.0.0.1", server.port), timeout=8) for _ in range(10)]
        for one in half:
            one.sendall(b"\x16\x03\x01\x02\x00\x01")
        with Load(server.connect, connections=3, keep_alive=False, limit=10) as load:
            load.join(20)
            tally = load.assert_clean()
        assert tally.slowest < 1.0
        for one in [*silent, *half]:
            try:
                while one.recv(4096):
                    pass
            except ConnectionResetError:
                pass
            one.close()
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 100, b"\xff\xfe" * 2000])
def test_plain_text_on_a_tls_port(worker, sent):
    with Server(HELLO, *worker, tls=True) as server:
        with Connection(server.address) as connection:
            connection.send(sent)
            answer = connection.wait_closed()
            assert not answer.startswith(b"HTTP/1.1 2")
        assert server.get().status == 200
        assert len(server.log().splitlines()) < 20


def test_a_large_answer_over_tls_to_a_slow_reader(worker):
    with Server("tests.apps.answers:app", *worker, tls=True) as server:
        with server.connect(receive_buffer=4096) as slow:
            slow.send_request("GET", "/large?n=3000000")
            assert len(slow.read_response().body) == 3_000_000
        assert len(server.get("/file?n=3000000").body) == 3_000_000


def test_a_request_in_tiny_records(worker):
    """Bytes decrypted but not yet read make no socket readable: a poller must not wait for more."""
    with Server(ECHO, *worker, tls=True) as server, server.connect() as connection:
        for byte in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":
            connection.send(bytes([byte]))
        assert connection.read_response().status == 200
        pipelined = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20
        connection.send(pipelined)
        assert [connection.read_response().status for _ in range(20)] == [200] * 20


def test_load_over_tls_through_a_reload(worker):
    with Server(HELLO, *worker, "-w", "2", tls=True) as server:
        old = set(server.wait_workers(2))
        with Load(server.connect, connections=4) as load:
            load.progress(30)
            server.signal(SIGHUP)
            load.progress(60)
            server.wait_log("booting worker", count=4)
            load.progress(60)
            load.assert_clean()
        assert not old & set(server.wait_workers(2))


def test_a_renewed_certificate_is_taken_by_hup(tmp_path):
    made = certificates()
    shutil.copy(made.cert, tmp_path / "cert.pem")
    shutil.copy(made.key, tmp_path / "key.pem")
    arguments = ("--certfile", str(tmp_path / "cert.pem"), "--keyfile", str(tmp_path / "key.pem"))
    context = made.client_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Server(HELLO, *arguments) as server:

        def subject() -> bytes | None:
            with Connection(server.address, tls=context) as connection:
                return connection.tls.getpeercert(binary_form=True)

        before = subject()
        shutil.copy(made.client_cert, tmp_path / "cert.pem")
        shutil.copy(made.client_key, tmp_path / "key.pem")
        server.signal(SIGHUP)
        eventually(lambda: subject() != before, "the new certificate")
