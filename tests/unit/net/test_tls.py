"""TLS contexts, shaken hands with over socket pairs; and what is said about each bad file."""

import ssl
import threading
from pathlib import Path

import pytest

from gunicorn.errors import ListenError
from gunicorn.net.tls import TlsOptions, default_factory, listener_context, server_context

PEM = Path(__file__).parent / "pem"
SERVER = TlsOptions(certfile=str(PEM / "server.pem"), keyfile=str(PEM / "server.key"))


def options(**changes):
    values = {"certfile": SERVER.certfile, "keyfile": SERVER.keyfile, **changes}
    return TlsOptions(**{name: str(value) if isinstance(value, Path) else value for name, value in values.items()})


def client_context(**changes):
    context = ssl.create_default_context(cafile=str(PEM / "ca.pem"))
    if "alpn" in changes:
        context.set_alpn_protocols(changes["alpn"])
    if "maximum" in changes:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = changes["maximum"]
    if changes.get("certificate"):
        context.load_cert_chain(PEM / "client.pem", PEM / "client.key")
    return context


def shake(server, client, session=None):
    """Both ends of a handshake in memory; the client's SSLObject, then the server's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [near, far]
    for _ in range(10):
        waiting = [end for end in waiting if not _is_done(end)]
    assert waiting == [], "the handshake does not end"
    # Under TLS 1.3 tickets, and a refused client certificate, come after the client's part is over.
    for writer, reader in ((far, near), (near, far)):
        writer.write(b"x")
        assert reader.read(1) == b"x"
    return near, far


def _is_done(end):
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def fault(**changes):
    with pytest.raises(ListenError) as caught:
        server_context(options(**changes))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_handshake():
    near, far = shake(server_context(SERVER), client_context())
    assert near.version() == "TLSv1.3"
    assert far.selected_alpn_protocol() is None


def test_tls_1_2_is_the_floor():
    context = server_context(SERVER)
    near, _ = shake(context, client_context(maximum=ssl.TLSVersion.TLSv1_2))
    assert near.version() == "TLSv1.2"
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (("http/1.1",), ["h2", "http/1.1"], "http/1.1"),
        (("h2", "http/1.1"), ["http/1.1", "h2"], "h2"),
        (("h2",), ["http/1.1"], None),
        ((), ["http/1.1"], None),
    ],
)
def test_alpn(ours, theirs, chosen):
    _, far = shake(server_context(options(alpn=ours)), client_context(alpn=theirs))
    assert far.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume(maximum):
    server, client = server_context(SERVER), client_context(maximum=maximum)
    first, _ = shake(server, client)
    again, _ = shake(server, client, session=first.session)
    assert (first.session_reused, again.session_reused) == (False, True)


def test_client_certificates():
    wanted = server_context(options(ca_certs=PEM / "ca.pem", cert_reqs=2))
    _, far = shake(wanted, client_context(certificate=True))
    assert far.getpeercert()["subject"] == ((("commonName", "client"),),)
    with pytest.raises(ssl.SSLError):
        shake(wanted, client_context())
    optional = server_context(options(ca_certs=PEM / "ca.pem", cert_reqs=1))
    _, far = shake(optional, client_context())
    assert not far.getpeercert()


def test_client_certificates_against_the_systems_authorities():
    context = server_context(options(cert_reqs=2))
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_key_in_the_certificates_file():
    shake(server_context(options(certfile=PEM / "both.pem", keyfile=None)), client_context())


def test_ciphers():
    context = server_context(options(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"))
    near, _ = shake(context, client_context(maximum=ssl.TLSVersion.TLSv1_2))
    assert near.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert "no cipher" in fault(ciphers="NO-SUCH-CIPHER")


def test_missing_files(tmp_path):
    assert "certfile" in fault(certfile=tmp_path / "a")
    assert "No such file" in fault(certfile=tmp_path / "a")
    assert f"keyfile '{tmp_path}/a'" in fault(keyfile=tmp_path / "a")
    assert f"ca_certs '{tmp_path}/a'" in fault(ca_certs=tmp_path / "a")
    assert "Is a directory" in fault(certfile=tmp_path)


def test_files_that_hold_something_else(tmp_path):
    (tmp_path / "text").write_text("hello")
    assert "no PEM certificate" in fault(certfile=tmp_path / "text")
    assert "no PEM private key" in fault(keyfile=tmp_path / "text")
    assert "no PEM private key" in fault(keyfile=None)
    assert "no usable PEM certificate" in fault(ca_certs=tmp_path / "text")
    broken = (PEM / "server.pem").read_text().replace("M", "!", 3)
    (tmp_path / "broken").write_text(broken)
    assert "cannot be loaded" in fault(certfile=tmp_path / "broken")


def test_key_of_another_certificate():
    assert "does not belong to certfile" in fault(keyfile=PEM / "client.key")


def test_encrypted_key_does_not_ask_the_terminal():
    assert "is encrypted" in fault(keyfile=PEM / "encrypted.key")


def test_bad_cert_reqs():
    assert "cert_reqs 7" in fault(cert_reqs=7)


def test_hook_gets_the_default_and_may_change_it():
    def hook(make):
        context = make()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    context = listener_context(SERVER, hook)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert listener_context(SERVER).minimum_version is ssl.TLSVersion.TLSv1_2
    assert default_factory(SERVER)() is not default_factory(SERVER)()


def test_hook_must_return_a_context():
    with pytest.raises(ListenError, match="not NoneType"):
        listener_context(SERVER, lambda make: None)


def test_one_context_serves_threads():
    context, failures = server_context(SERVER), []

    def one():
        try:
            shake(context, client_context())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
