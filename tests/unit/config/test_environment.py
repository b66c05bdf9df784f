"""Variables: those of platforms, those of settings, those that only look so."""

import pytest

from gunicorn.config.environment import named_settings, platform_defaults, strange_variables
from gunicorn.errors import ConfigError


def named(environ):
    return {row.name: value for row, value, _ in named_settings(environ)}


def strange(environ, own=()):
    return list(strange_variables(environ, own))


def test_platform_defaults():
    environ = {"PORT": "5000", "WEB_CONCURRENCY": "3", "FORWARDED_ALLOW_IPS": "*", "SENDFILE": "0"}
    found = {row.name: (value, str(source)) for row, value, source in platform_defaults(environ)}
    assert found == {
        "bind": ("0.0.0.0:5000", "env PORT"),
        "workers": ("3", "env WEB_CONCURRENCY"),
        "forwarded_allow_ips": ("*", "env FORWARDED_ALLOW_IPS"),
        "sendfile": ("0", "env SENDFILE"),
    }


def test_empty_platform_variables_count_only_where_empty_means_something():
    environ = {"PORT": "", "WEB_CONCURRENCY": "", "FORWARDED_ALLOW_IPS": "", "SENDFILE": ""}
    assert {row.name: value for row, value, _ in platform_defaults(environ)} == {"forwarded_allow_ips": ""}
    assert list(platform_defaults({})) == []


def test_settings_by_name():
    assert named({"GUNICORN_WORKERS": "4", "GUNICORN_RELOAD": "yes", "HOME": "/"}) == {"workers": "4", "reload": "yes"}
    ((_, _, source),) = named_settings({"GUNICORN_WORKERS": "4"})
    assert str(source) == "env GUNICORN_WORKERS"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a:1, b:2,", ["a:1", "b:2"]),
        ('["a:1", "b:2"]', ["a:1", "b:2"]),
        ("[::1]:80", ["[::1]:80"]),
        ("[::1]:80,:81", ["[::1]:80", ":81"]),
    ],
)
def test_lists(text, items):
    assert named({"GUNICORN_BIND": text}) == {"bind": items}


def test_commas_inside_values_need_json():
    assert named({"GUNICORN_RAW_ENV": '["A=1,2"]'}) == {"raw_env": ["A=1,2"]}


def test_empty_variables_count_as_not_set():
    assert named({"GUNICORN_WORKERS": "", "GUNICORN_BIND": ""}) == {}
    assert named({"GUNICORN_FORWARDED_ALLOW_IPS": ""}) == {"forwarded_allow_ips": ""}


@pytest.mark.parametrize(
    "variable",
    [
        *("GUNICORN_CMD_ARGS", "GUNICORN_PID", "GUNICORN_FD", "GUNICORN_DIRTY_SOCKET"),
        *("GUNICORN_HOST", "GUNICORN_PORT", "GUNICORN_ARGS", "GUNICORN_CONF"),
        *("GUNICORN_SERVICE_HOST", "GUNICORN_SERVICE_PORT", "GUNICORN_SERVICE_PORT_HTTP"),
        *("GUNICORN_PORT_8000_TCP", "GUNICORN_PORT_8000_TCP_ADDR"),
    ],
)
def test_variables_that_are_no_settings(variable):
    assert named({variable: "x"}) == {}
    assert strange({variable: "x"}) == []


@pytest.mark.parametrize("slip", ["WOKERS", "WORKER", "TIEMOUT", "WORKERS_CLASS", "LOGLEVL"])
def test_a_misspelt_setting_is_an_error(slip):
    with pytest.raises(
        ConfigError, match=rf"no setting '{slip.lower()}' \(env GUNICORN_{slip}\); did you mean GUNICORN_"
    ):
        strange({f"GUNICORN_{slip}": "3"})


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        ("GUNICORN_OPTS", "env GUNICORN_OPTS is no setting"),
        ("GUNICORN_LOG_LEVEL", "env GUNICORN_LOG_LEVEL is no setting; did you mean GUNICORN_LOGLEVEL?"),
        ("GUNICORN_KEEP_ALIVE", "env GUNICORN_KEEP_ALIVE is no setting; did you mean GUNICORN_KEEPALIVE?"),
        ("GUNICORN_NUM_WORKERS", "env GUNICORN_NUM_WORKERS is no setting; did you mean GUNICORN_WORKERS?"),
    ],
)
def test_variables_that_scripts_use_are_only_reported(variable, warning):
    assert strange({variable: "x"}) == [warning]
    assert named({variable: "x"}) == {}


def test_a_variable_that_the_configuration_file_reads_is_its_own():
    assert strange({"GUNICORN_LOG_LEVEL": "x", "GUNICORN_WOKERS": "3"}, {"GUNICORN_LOG_LEVEL", "GUNICORN_WOKERS"}) == []
