"""Keys and signatures, held against OpenSSH."""

from __future__ import annotations

import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scripted_project import kit, write_project
from tools import tool

from kit.bundle.signing import dsse, sshsig
from kit.bundle.signing.agent import AgentSigner, agent_signer
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.keys import KeySigner, generate_key, load_private_key
from kit.bundle.signing.public_key import fingerprint, from_pem, ssh_line, to_pem
from kit.bundle.signing.signers import read_signers
from kit.core.errors import CheckFailed, KitError, OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def ssh_keygen(*arguments: object, text: str = "") -> str:
    command = [tool("ssh-keygen"), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout


def openssh_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    ssh_keygen("-q", "-t", kind, "-N", passphrase, "-C", "author@example.org", "-f", path)
    return path


def test_a_key_that_the_kit_makes_is_one_that_openssh_reads(tmp_path: Path) -> None:
    made = generate_key(tmp_path / "keys/author", "author@example.org")
    listed = ssh_keygen("-l", "-f", tmp_path / "keys/author")
    assert listed == f"256 {fingerprint(made.public_key)} author@example.org (ED25519)\n"
    public = ssh_keygen("-y", "-f", tmp_path / "keys/author").rstrip()
    assert (tmp_path / "keys/author.pub").read_text() == f"{public} author@example.org\n"
    assert from_pem((tmp_path / "keys/author.pem").read_bytes()) == made.public_key
    assert load_private_key(tmp_path / "keys/author").public_key == made.public_key
    assert (tmp_path / "keys/author").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ending", ["", ".pub", ".pem"])
def test_a_key_is_never_overwritten(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"author{ending}").write_text("precious")
    with pytest.raises(OperationalError, match="exists"):
        generate_key(tmp_path / "author", "")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_the_users_own_ssh_key_signs(tmp_path: Path) -> None:
    signer = load_private_key(openssh_key(tmp_path / "id_ed25519"))
    assert sshsig.verify(b"message", sshsig.sign(b"message", signer).encode()) == signer.public_key


def test_signatures_are_the_bytes_that_openssh_makes(tmp_path: Path) -> None:
    """Ed25519 is deterministic, so there is one right answer."""
    key = openssh_key(tmp_path / "id_ed25519")
    (tmp_path / "message").write_bytes(b"message")
    ssh_keygen("-q", "-Y", "sign", "-f", key, "-n", sshsig.NAMESPACE, tmp_path / "message")
    assert sshsig.sign(b"message", load_private_key(key)) == (tmp_path / "message.sig").read_text()


def with_mode(path: Path, mode: int) -> Path:
    path.chmod(mode)
    return path


def with_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return with_mode(path, 0o600)


UNUSABLE: dict[str, tuple[Callable[[Path], Path], type[KitError], str]] = {
    "missing": (lambda path: path, OperationalError, "cannot be read"),
    "a folder": (lambda path: path.parent, OperationalError, "cannot be read"),
    "rsa": (lambda path: openssh_key(path, "rsa"), CheckFailed, "is not an Ed25519 key"),
    "encrypted": (lambda path: openssh_key(path, passphrase="secret"), OperationalError, "is encrypted"),
    "open to others": (lambda path: with_mode(openssh_key(path), 0o640), CheckFailed, "may be read by others"),
    "no key": (lambda path: with_text(path, "hello"), CheckFailed, "is not an OpenSSH private key"),
    "cut off": (
        lambda path: with_text(path, openssh_key(path).read_text()[:200]),
        CheckFailed,
        "is not an OpenSSH private",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_key_file_that_cannot_be_used_says_why(name: str, tmp_path: Path) -> None:
    make, kind, said = UNUSABLE[name]
    with pytest.raises(kind, match=said):
        load_private_key(make(tmp_path / "key"))


@pytest.mark.parametrize("passphrase", [b"secret", b"wrong"])
def test_an_encrypted_key_opens_with_its_passphrase_or_says_why_not(passphrase: bytes, tmp_path: Path) -> None:
    key = openssh_key(tmp_path / "key", passphrase="secret")
    try:
        import bcrypt  # type: ignore[import-not-found,unused-ignore]  # noqa: F401 - what cryptography asks for
    except ImportError:
        with pytest.raises(OperationalError, match="install the package bcrypt"):
            load_private_key(key, passphrase)
        return
    if passphrase == b"secret":
        assert isinstance(load_private_key(key, passphrase), KeySigner)
    else:
        with pytest.raises(OperationalError, match="cannot be opened"):
            load_private_key(key, passphrase)


KEY = FixedSigner(1).public_key
OTHER = FixedSigner(2).public_key
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7"
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
NAMED: dict[str, tuple[str, dict[bytes, str], list[str]]] = {
    "pub": (f"{ssh_line(KEY)} a comment\n", {KEY: ""}, []),
    "pem": (to_pem(KEY).decode(), {KEY: ""}, []),
    "github": (f"{RSA}\n{ssh_line(KEY)}\n{ssh_line(OTHER)}\n", {KEY: "", OTHER: ""}, [":1: passed over, ssh-rsa"]),
    "allowed_signers": (
        f"# people\n\n  # more\na@b.org,c@d.org {ssh_line(KEY)}\ne@f.org {RSA}\n",
        {KEY: "a@b.org,c@d.org"},
        [":5: passed over, ssh-rsa does not sign bundles"],
    ),
    "namespaces": (
        f'a@b.org namespaces="git,kit-*" {ssh_line(KEY)}\nc@d.org namespaces="git" {ssh_line(OTHER)}\n',
        {KEY: "a@b.org"},
        [":2: passed over, its namespaces do not include kit-bundle"],
    ),
    "a key that comes and one that is gone": (
        f'a@b.org valid-before="20251231Z" {ssh_line(OTHER)}\na@b.org Valid-After="20260101Z" {ssh_line(KEY)}\n',
        {KEY: "a@b.org"},
        [":1: passed over, it was valid until 20251231Z"],
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_signers_are_read_from_any_file_of_public_keys(name: str, tmp_path: Path) -> None:
    text, keys, notes = NAMED[name]
    (tmp_path / "signers").write_text(text)
    found = read_signers(str(tmp_path / "signers"), NOW)
    assert found.keys == {fingerprint(key): holder for key, holder in keys.items()}
    assert len(found.notes) == len(notes)
    assert all(said in note for said, note in zip(notes, found.notes, strict=True))


def test_a_signer_can_be_named_by_key_or_fingerprint_alone() -> None:
    for named in (ssh_line(KEY), fingerprint(KEY)):
        assert list(read_signers(named, NOW).keys) == [fingerprint(KEY)]


OPTIONS = {
    'namespaces="git"': False,
    'namespaces="kit-bundle"': True,
    'namespaces="k?t-*,git"': True,
    'namespaces="*,!kit-*"': False,
    'NAMESPACES="kit-bundle",valid-after="20200101Z"': True,
    'valid-after="20200101120000Z",valid-before="29991231Z"': True,
    'valid-before="202001011200Z"': False,
    'valid-after="29991231Z"': False,
    "cert-authority": False,
}


@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_allowed_signers_mean_what_they_mean_to_openssh(options: str, tmp_path: Path) -> None:
    key = openssh_key(tmp_path / "key")
    line = f"author@example.org {options} {(tmp_path / 'key.pub').read_text()}"
    (tmp_path / "allowed_signers").write_text(line)
    (tmp_path / "message").write_bytes(b"message")
    ssh_keygen("-q", "-Y", "sign", "-f", key, "-n", sshsig.NAMESPACE, tmp_path / "message")
    verify = ["-Y", "verify", "-f", "allowed_signers", "-I", "author@example.org", "-n", sshsig.NAMESPACE]
    command = [tool("ssh-keygen"), *verify, "-s", "message.sig"]
    openssh = subprocess.run(command, cwd=tmp_path, input=b"message", capture_output=True, check=False).returncode == 0
    try:
        read_signers(str(tmp_path / "allowed_signers"), datetime.now(UTC))
        accepted = True
    except CheckFailed:
        accepted = False
    assert accepted is openssh is OPTIONS[options]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no Ed25519 public key"),
        (f"{RSA}\n", "holds no Ed25519 public key"),
        ("hello\n", ":1: is not a line with a public key"),
        (f"{ssh_line(KEY)[:-8]}\n", ":1: is not"),
        (f'a@b.org valid-before="29990101" {ssh_line(KEY)}\n', ":1: passed over, its times depend on a time zone"),
        (f'a@b.org valid-before="20261399Z" {ssh_line(KEY)}\n', ":1: has '20261399Z', which is no day"),
        (f'a@b.org valid-before="soonZ" {ssh_line(KEY)}\n', ":1: has 'soonZ', which is not a time"),
        (f"a@b.org no-such-option {ssh_line(KEY)}\n", ":1: has the option 'no-such-option', which cannot be honoured"),
        (f'a@b.org namespaces="*",namespaces="a" {ssh_line(KEY)}\n', "cannot be honoured"),
        (f"*.b.org cert-authority {ssh_line(KEY)}\n", ":1: passed over, bundles are not signed with certificates"),
        ("x" * (2 << 20), "is larger than"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is not an Ed25519 public key"),
    ],
)
def test_a_file_without_a_usable_signer_is_a_finding(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "signers").write_text(text)
    with pytest.raises(CheckFailed, match=said):
        read_signers(str(tmp_path / "signers"), NOW)


def test_a_missing_file_of_signers_is_trouble() -> None:
    with pytest.raises(OperationalError, match="cannot be read"):
        read_signers("no/such/file", NOW)


def flips(data: bytes) -> list[bytes]:
    """Return all that differ from some bytes by one bit."""
    number, size = int.from_bytes(data, "big"), len(data)
    return [(number ^ 1 << bit).to_bytes(size, "big") for bit in range(8 * size)]


def test_no_flipped_bit_of_an_ssh_signature_is_accepted() -> None:
    for changed in flips(sshsig.sign(b"message", FixedSigner()).encode()):
        with pytest.raises(ValueError, match="is not a"):
            sshsig.verify(b"message", changed)


def test_no_flipped_bit_of_an_envelope_is_accepted() -> None:
    signer = FixedSigner()
    for changed in flips(dsse.sign(b'{"some":"payload"}', signer)):
        with pytest.raises(ValueError, match=r"."):
            dsse.verify(changed, signer.public_key)


def test_an_envelope_by_another_key_is_refused() -> None:
    with pytest.raises(ValueError, match="is not the envelope that this key signed"):
        dsse.verify(dsse.sign(b"{}", FixedSigner(1)), FixedSigner(2).public_key)


def test_a_signature_for_another_purpose_is_refused(tmp_path: Path) -> None:
    key = openssh_key(tmp_path / "id_ed25519")
    (tmp_path / "message").write_bytes(b"message")
    ssh_keygen("-q", "-Y", "sign", "-f", key, "-n", "git", tmp_path / "message")
    with pytest.raises(ValueError, match="namespace kit-bundle"):
        sshsig.verify(b"message", (tmp_path / "message.sig").read_bytes())


@pytest.mark.parametrize("text", [b"", b"hello", b"\xff", b"\n\n\n", b"{}", b'{"signatures":[1]}'])
def test_what_is_no_signature_is_refused_as_such(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        sshsig.verify(b"message", text)
    with pytest.raises(ValueError, match=r"."):
        dsse.verify(text, KEY)


@pytest.fixture
def agent() -> Iterator[Path]:
    """Run a real SSH agent; give the path of its socket."""
    socket = Path(tempfile.mkdtemp(dir="/tmp")) / "agent"  # a socket's path is at most 107 bytes long
    process = subprocess.Popen([tool("ssh-agent"), "-D", "-a", socket], stdout=subprocess.DEVNULL)
    while not socket.exists():
        time.sleep(0.01)
    yield socket
    process.terminate()
    process.wait()
    shutil.rmtree(socket.parent)


def ssh_add(agent: Path, *arguments: object) -> None:
    command = [tool("ssh-add"), "-q", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "SSH_AUTH_SOCK": str(agent)})


def test_a_key_that_only_the_agent_holds_makes_the_signatures_that_its_file_makes(agent: Path, tmp_path: Path) -> None:
    key = load_private_key(openssh_key(tmp_path / "key"))
    for path in (tmp_path / "key", openssh_key(tmp_path / "rsa", "rsa"), openssh_key(tmp_path / "other")):
        ssh_add(agent, path)
        path.unlink()
    signer = agent_signer(agent, fingerprint(key.public_key))
    assert signer.public_key == key.public_key
    assert sshsig.sign(b"message", signer) == sshsig.sign(b"message", key)
    assert dsse.sign(b"{}" * 50_000, signer) == dsse.sign(b"{}" * 50_000, key)


def test_an_agent_that_cannot_sign_says_why(agent: Path, tmp_path: Path) -> None:
    wanted = fingerprint(load_private_key(openssh_key(tmp_path / "key")).public_key)
    with pytest.raises(OperationalError, match=r"does not hold the Ed25519 key .*; it has: none"):
        agent_signer(agent, wanted)
    ssh_add(agent, tmp_path / "key")
    signer = agent_signer(agent, wanted)
    with pytest.raises(OperationalError, match="takes at most 262144 bytes"):
        signer.sign(bytes(300_000))
    ssh_add(agent, "-D")
    with pytest.raises(OperationalError, match=r"refused; is it locked"):
        signer.sign(b"message")
    for path in (tmp_path / "nobody", tmp_path / "key", tmp_path / ("x" * 200)):
        with pytest.raises(OperationalError, match="is not an SSH agent that answers"):
            agent_signer(path, wanted)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        b"\0\0\0\5\x0c",
        b"\xff\xff\xff\xff\x0c",
        _string(b"\x0c"),
        _string(b"\x0c\0\0\0\1\xff\xff\xff\xff"),
        _string(b"\x0e" + _string(_string(b"ssh-ed25519") + _string(bytes(64)))),
        _string(b"\x0e" + bytes(64)),
    ],
)
def test_what_an_agent_says_is_not_taken_on_trust(answer: bytes) -> None:
    path = Path(tempfile.mkdtemp(dir="/tmp")) / "agent"
    with socketserver.UnixStreamServer(str(path), _answering(answer)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(OperationalError):
            agent_signer(path, "SHA256:")
        with pytest.raises(OperationalError):
            AgentSigner(path, KEY).sign(b"message")
        server.shutdown()
    shutil.rmtree(path.parent)


def _answering(answer: bytes) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.read(int.from_bytes(self.rfile.read(4), "big"))
            self.wfile.write(answer)

    return Handler


def test_the_command_line_signs_with_the_agent(agent: Path, tmp_path: Path) -> None:
    write_project(tmp_path / "project")
    public = openssh_key(tmp_path / "key").with_suffix(".pub")
    ssh_add(agent, tmp_path / "key")
    (tmp_path / "key").unlink()
    mine = ssh_keygen("-l", "-f", public).split()[1]
    for number, key in enumerate((f"agent:{mine}", public)):
        run = ["reproduce", tmp_path / "project/scripted.json", "--key", key, "--out", f"out{number}"]
        made = kit(*run, home=tmp_path, env={"SSH_AUTH_SOCK": str(agent)})
        assert made.returncode == 0, made.stderr
        found = kit("verify", f"out{number}", "--signer", public, home=tmp_path)
        assert found.stdout.startswith(f"intact, signed by {mine}, whom you named")
    without = kit(*run[:-1], "out2", home=tmp_path)
    assert without.returncode == 2
    assert "SSH_AUTH_SOCK: is not set" in without.stderr
