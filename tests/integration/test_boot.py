"""What cannot start says why in one line and ends with the right code; a traceback only of the user's own code."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from tests.support.certificates import certificates
from tests.support.processes import eventually
from tests.support.server import Server, free_port, run_gunicorn

HELLO = "tests.apps.hello:app"
CONFIG, BOOT, LOAD = 1, 3, 4


def refused(*arguments: str, code: int, says: str | tuple[str, ...], cwd: Path | None = None, lines: int = 3) -> str:
    """Runs the command, which must fail with `code`, few lines, every text of `says` and no traceback."""
    done = run_gunicorn(*arguments, cwd=cwd)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    for part in (says,) if isinstance(says, str) else says:
        assert part.lower() in text.lower(), text
    assert "Traceback" not in text, text
    blamed = [line for line in text.splitlines() if re.search("error|usage", line, re.IGNORECASE)]
    assert 1 <= len(blamed) <= lines, text
    return text


def bind() -> tuple[str, str]:
    return "--bind", f"127.0.0.1:{free_port()}"


def test_port_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused("--bind", f"127.0.0.1:{port}", HELLO, code=CONFIG, says=(str(port), "taken"), lines=8)


def test_address_of_another_machine():
    refused("--bind", "192.0.2.1:8000", HELLO, code=CONFIG, says="192.0.2.1", lines=8)


def test_unix_path_that_is_a_plain_file(tmp_path):
    (tmp_path / "plain").write_text("precious")
    refused("--bind", f"unix:{tmp_path}/plain", HELLO, code=CONFIG, says="plain")
    assert (tmp_path / "plain").read_text() == "precious"


def test_unix_path_in_no_folder(tmp_path):
    refused("--bind", f"unix:{tmp_path}/no/sock", HELLO, code=CONFIG, says=f"{tmp_path}/no")


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1:http", "[::1", "fd://x", "unix:"])
def test_malformed_address(address):
    refused("--bind", address, HELLO, code=CONFIG, says="bind")


def test_certificate_missing(tmp_path):
    refused(
        *bind(),
        "--certfile",
        f"{tmp_path}/no.pem",
        "--keyfile",
        f"{tmp_path}/no.key",
        HELLO,
        code=CONFIG,
        says="no.pem",
    )


def test_certificate_that_is_none(tmp_path):
    (tmp_path / "bad.pem").write_text("this is no certificate\n")
    made = certificates()
    refused(
        *bind(), "--certfile", f"{tmp_path}/bad.pem", "--keyfile", str(made.key), HELLO, code=CONFIG, says="bad.pem"
    )


def test_key_of_another_certificate():
    made = certificates()
    text = refused(
        *bind(), "--certfile", str(made.cert), "--keyfile", str(made.other_key), HELLO, code=CONFIG, says="key"
    )
    assert "other.key" in text


def test_unknown_cipher():
    made = certificates()
    tls = ("--certfile", str(made.cert), "--keyfile", str(made.key))
    refused(*bind(), *tls, "--ciphers", "NO-SUCH-CIPHER", HELLO, code=CONFIG, says="NO-SUCH-CIPHER")


def test_pidfile_in_no_folder(tmp_path):
    refused(*bind(), "--pid", f"{tmp_path}/no/pid", HELLO, code=CONFIG, says=f"{tmp_path}/no/pid")


def test_pidfile_of_a_living_process(tmp_path):
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    refused(*bind(), "--pid", f"{tmp_path}/pid", HELLO, code=CONFIG, says=str(os.getpid()))
    assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"


def test_pidfile_of_a_dead_process_is_taken_over(tmp_path):
    (tmp_path / "pid").write_text("999999999\n")
    with Server(HELLO, "--pid", f"{tmp_path}/pid") as server:
        eventually(lambda: (tmp_path / "pid").read_text().strip() == str(server.pid), "our own pid")
        server.get()
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--no-such-flag",), "--no-such-flag"),
        (("--worker", "3", "--wrokers", "2"), "--workers"),
        (("--workers", "many"), ("workers", "many")),
        (("--workers", "-1"), "workers"),
        (("--timeout", "soon"), ("timeout", "soon")),
        (("--worker-class", "gthraed"), ("gthraed", "gthread")),
        (("--worker-class", "no.such.module.Worker"), "no module"),
        (("--log-level", "loud"), "loud"),
        (("--user", "nobody-of-this-name"), "nobody-of-this-name"),
        (("--group", "nogroup-of-this-name"), "nogroup-of-this-name"),
        (("--chdir", "/no/such/folder"), "/no/such/folder"),
        (("--forwarded-allow-ips", "300.1.2.3"), "300.1.2.3"),
        (("--forwarded-allow-ips", "10.0.0.1/8"), "10.0.0.1/8"),
        (("--config", "/no/such/file.py"), "/no/such/file.py"),
        (("--env", "NOVALUE"), "NOVALUE"),
        (("--reload-engine", "magic"), "magic"),
        (("--statsd-host", "nowhere:port"), "nowhere"),
    ],
)
def test_wrong_options(flags, says):
    refused(*flags, *bind(), HELLO, code=CONFIG, says=says)


def test_an_error_log_that_cannot_be_written(tmp_path):
    refused(*bind(), "--error-logfile", f"{tmp_path}/no/log", HELLO, code=CONFIG, says=f"{tmp_path}/no")


def test_no_application_at_all():
    refused(*bind(), code=CONFIG, says="application")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("no_such_module_here:app", "no_such_module_here"),
        ("tests.apps.no_such_module:app", "tests.apps.no_such_module"),
        ("tests.apps.hello:ap", ("'ap'", "app")),
        ("tests.apps.hello:annotations", "called"),
        ("tests.apps.hello:app(", "app("),
        ("tests.apps.flask_project:create_app(undefined_name)", "undefined_name"),
    ],
)
@pytest.mark.parametrize("preload", [(), ("--preload",)])
def test_applications_that_are_not_there(uri, says, preload):
    refused(*bind(), *preload, uri, code=LOAD, says=says, lines=6)


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import does_not_exist_either\n", "does_not_exist_either"),
        ("def app(:\n", "SyntaxError"),
        ("raise RuntimeError('the database is down')\n", "the database is down"),
        ("def app():\n    raise RuntimeError('factory broke')\n", "factory broke"),
    ],
)
def test_the_applications_own_failure_comes_with_its_traceback(tmp_path, source, error, preload):
    (tmp_path / "mine.py").write_text(source)
    uri = "mine:app()" if "factory" in source else "mine:app"
    done = run_gunicorn(*bind(), *preload, uri, cwd=tmp_path)
    text = done.stdout + done.stderr
    assert done.returncode == LOAD, text
    assert error in text
    assert "mine.py" in text
    assert text.count("Traceback (most recent call last)") <= 2
    assert "gunicorn/arbiter" not in text, "the server's own frames help nobody"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("workers = = 2\n", ("gunicorn.conf.py:1", "syntax")),
        ("\n\nraise RuntimeError('no secrets')\n", ("gunicorn.conf.py", "no secrets")),
        ("workers = 'many'\n", ("gunicorn.conf.py", "workers", "many")),
        ("def pre_fork(one, two, three): pass\n", ("gunicorn.conf.py", "pre_fork")),
        ("post_fork = 'not a function'\n", ("gunicorn.conf.py", "post_fork")),
        ("timeout = -1\n", ("gunicorn.conf.py", "timeout")),
    ],
)
def test_configuration_files_that_are_wrong(tmp_path, text, says):
    (tmp_path / "gunicorn.conf.py").write_text(text)
    done = run_gunicorn(*bind(), HELLO, cwd=tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode == CONFIG, output
    for part in says:
        assert part in output
    assert len(output) < 3000


def test_a_worker_that_dies_in_post_fork_halts_the_first_generation(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("def post_fork(server, worker):\n    raise RuntimeError('hook broke')\n")
    done = run_gunicorn(*bind(), HELLO, cwd=tmp_path)
    assert done.returncode == BOOT, done.stderr
    assert "hook broke" in done.stderr


def test_a_worker_that_exits_while_it_boots_halts_the_first_generation(tmp_path):
    (tmp_path / "mine.py").write_text("import os\nos._exit(9)\n")
    done = run_gunicorn(*bind(), "mine:app", cwd=tmp_path)
    assert done.returncode == BOOT, done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_left_after_a_failed_boot(tmp_path):
    (tmp_path / "mine.py").write_text("raise RuntimeError('no')\n")
    path, pid = tmp_path / "sock", tmp_path / "pid"
    done = run_gunicorn("--bind", f"unix:{path}", "--pid", str(pid), "-w", "3", "mine:app", cwd=tmp_path)
    assert done.returncode == LOAD
    assert not path.exists()
    assert not pid.exists()
    # Three workers fail alike: the reader needs the traceback, not three hundred lines.
    assert len(done.stderr.splitlines()) < 100


def test_check_config_loads_the_application():
    assert run_gunicorn("--check-config", HELLO).returncode == 0
    assert run_gunicorn("--check-config", "tests.apps.no_such:app").returncode in (CONFIG, LOAD)
    assert run_gunicorn("--check-config", "--workers", "x", HELLO).returncode == CONFIG


def test_version_and_help():
    version = run_gunicorn("--version")
    assert version.returncode == 0
    assert re.search(r"\d+\.\d+", version.stdout)
    usage = run_gunicorn("--help")
    assert usage.returncode == 0
    for flag in ("--bind", "--worker-class", "--certfile", "--graceful-timeout"):
        assert flag in usage.stdout
