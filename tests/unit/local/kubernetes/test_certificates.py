"""Claims about the cluster's authority: it lasts, its certificates are accepted, and it keeps secrets."""

import base64
import json
import ssl
import threading
from pathlib import Path
from socket import create_server, socket

import pytest
from cryptography import x509

from local.kubernetes.certificates import Authority, KeyPair
from local.kubernetes.daemons import Probe, answers


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "credentials")


def names(pair: KeyPair) -> set[str]:
    subject = x509.load_pem_x509_certificate(pair.certificate.encode()).subject
    return {attribute.rfc4514_string() for attribute in subject}


def test_an_authority_is_the_same_at_the_next_start(authority: Authority) -> None:
    """Opened again on its folder it has the certificate that clients already trust."""
    again = Authority(authority.certificate_path.parent)
    assert again.certificate == authority.certificate


def test_an_interrupted_creation_is_done_again(authority: Authority) -> None:
    """The certificate is written last: a folder without it is no authority yet."""
    authority.certificate_path.unlink()
    again = Authority(authority.certificate_path.parent)
    assert again.client("someone").certificate


def test_a_client_is_known_by_user_and_groups(authority: Authority) -> None:
    """The API server reads the user from the common name and groups from the organizations."""
    assert names(authority.client("system:node:one", "system:nodes")) == {"CN=system:node:one", "O=system:nodes"}


def test_keys_are_readable_by_their_owner_only(authority: Authority, tmp_path: Path) -> None:
    """Every file that is written has mode 600."""
    authority.server("one", ["localhost"]).write(tmp_path, "one")
    written = [*authority.certificate_path.parent.iterdir(), tmp_path / "one.key"]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}


def test_a_kubeconfig_carries_all_that_it_needs(authority: Authority) -> None:
    """It names the server and embeds certificates, so that the file alone can be given away."""
    config = json.loads(authority.kubeconfig("https://10.0.0.1:6443", "someone"))
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == "https://10.0.0.1:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]).decode() == authority.certificate
    assert "BEGIN PRIVATE KEY" in base64.b64decode(config["users"][0]["user"]["client-key-data"]).decode()


async def test_a_probe_takes_only_a_server_of_its_own_authority(authority: Authority, tmp_path: Path) -> None:
    """A server with an issued certificate answers the probe; under another authority it does not count."""
    certificate, key = authority.server("one", ["127.0.0.1"]).write(tmp_path, "one")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = threading.Thread(target=serve, args=(listener, context, 2))
        serving.start()
        other = Authority(tmp_path / "other")
        assert await answers(Probe(f"https://127.0.0.1:{port}/", authority.certificate_path))
        with pytest.raises(ssl.SSLCertVerificationError):
            await answers(Probe(f"https://127.0.0.1:{port}/", other.certificate_path))
        serving.join()


def serve(listener: socket, context: ssl.SSLContext, connections: int) -> None:
    for _ in range(connections):
        plain, _ = listener.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except ssl.SSLError:  # the client did not trust us
            plain.close()


async def test_probes_tell_serving_from_listening() -> None:
    """`tcp` is content with a connection; `http` wants the answer 200."""
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        serving = threading.Thread(target=refuse, args=(listener,))
        serving.start()
        assert await answers(Probe(f"tcp://127.0.0.1:{port}"))
        assert not await answers(Probe(f"http://127.0.0.1:{port}/"))
        serving.join()
    with pytest.raises(OSError, match="Connect"):
        await answers(Probe(f"tcp://127.0.0.1:{port}"))


def refuse(listener: socket) -> None:
    for _ in range(2):
        with listener.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
