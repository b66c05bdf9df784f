"""The command line: flags, arguments, and what is said of misspelt ones."""

import pytest

from gunicorn.config.commandline import parse_command_line, split_command_line
from gunicorn.config.option import Level, Source
from gunicorn.errors import ConfigError


def parse(*argv):
    return parse_command_line(argv, prog="gunicorn", help_text=lambda: "HELP\n")


def test_nothing_given_is_nothing_said():
    line = parse()
    assert dict(line.values) == {}
    assert line.arguments == ()
    assert line.show_sources is False


def test_flags_give_raw_values():
    line = parse("-w", "3", "--bind", ":1", "-b:2", "--reload", "--no-sendfile", "--threads=x")
    assert line.values == {
        "workers": "3",
        "bind": [":1", ":2"],
        "reload": True,
        "sendfile": False,
        "threads": "x",
    }
    assert line.flags["workers"] == "-w"
    assert line.flags["bind"] == "--bind"
    assert line.flags["threads"] == "--threads"


@pytest.mark.parametrize(
    "argv",
    [["app:app", "-w", "3"], ["-w", "3", "app:app"], ["-w", "3", "app:app", "--reload"], ["-w3", "--", "app:app"]],
)
def test_application_stands_anywhere(argv):
    assert parse(*argv).arguments == ("app:app",)


@pytest.mark.parametrize(
    ("argv", "mode", "arguments"),
    [
        (["--proxy-protocol", "app:app"], "auto", ("app:app",)),
        (["--proxy-protocol", "v2", "app:app"], "v2", ("app:app",)),
        (["--proxy-protocol=v1"], "v1", ()),
        (["--proxy-protocol"], "auto", ()),
        (["app:app", "--proxy-protocol", "--reload"], "auto", ("app:app",)),
        (["--proxy-protocol", "--", "v1"], "auto", ("v1",)),
    ],
)
def test_a_mode_that_may_be_left_out_does_not_swallow_the_application(argv, mode, arguments):
    line = parse(*argv)
    assert line.values["proxy_protocol"] == mode
    assert line.arguments == arguments


def test_abbreviations():
    assert parse("--max-requests-j", "5").values == {"max_requests_jitter": "5"}
    with pytest.raises(ConfigError, match="ambiguous option: --max could match --max-requests"):
        parse("--max", "3")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--wokers", "3"], r"unknown option --wokers \(command line\); did you mean --workers\?"),
        (["--wokers=3"], r"unknown option --wokers \(command line\); did you mean --workers\?"),
        (["--keepalive", "3"], r"unknown option --keepalive .*; did you mean --keep-alive\?"),
        (["--accesslog", "-"], r"unknown option --accesslog .*; did you mean --access-logfile\?"),
        (["--zzz"], r"unknown option --zzz \(command line\); try --help"),
        (["-Z"], r"unknown option -Z \(command line\); try --help"),
        (["--workers"], r"--workers: expected one argument \(command line\)"),
        (["--reload=3"], "ignored explicit argument '3'"),
    ],
)
def test_mistakes(argv, text):
    with pytest.raises(ConfigError, match=text) as caught:
        parse(*argv)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_errors_name_where_the_line_stood():
    with pytest.raises(ConfigError, match=r"unknown option --xyzzy \(env GUNICORN_CMD_ARGS\)"):
        parse_command_line(["--xyzzy"], prog="g", help_text=str, origin=Source(Level.CMD_ARGS, "GUNICORN_CMD_ARGS"))


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    assert capsys.readouterr().out == "HELP\n"
    with pytest.raises(SystemExit) as caught:
        parse("-v")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("gunicorn (version ")


def test_source_flag():
    assert parse("--print-config", "--source").show_sources is True


def test_words_of_a_variable():
    source = Source(Level.CMD_ARGS, "GUNICORN_CMD_ARGS")
    assert split_command_line("-b :1  --name 'a b'", source) == ["-b", ":1", "--name", "a b"]
    with pytest.raises(ConfigError, match=r"No closing quotation \(env GUNICORN_CMD_ARGS\)"):
        split_command_line("--name 'a", source)
