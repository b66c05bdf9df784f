"""Settings: plain values, frozen, each with its source; and what follows from several of them."""

import pytest

from gunicorn.config import TABLE, Level, Settings, Source
from gunicorn.config.settings import check_together, row_of, settle
from gunicorn.errors import ConfigError

CLI = Source(Level.COMMAND_LINE, "--workers")


def test_defaults():
    cfg = Settings()
    assert cfg.workers == 1
    assert cfg.bind == ["127.0.0.1:8000"]
    assert {str(source) for source in cfg.provenance.values()} == {"default"}
    assert set(cfg.provenance) == set(TABLE)


def test_defaults_are_not_shared():
    Settings().bind.append("x")
    Settings().secure_scheme_headers["x"] = "y"
    assert Settings().bind == ["127.0.0.1:8000"]
    assert "x" not in Settings().secure_scheme_headers


def test_frozen():
    cfg = Settings()
    with pytest.raises(AttributeError, match="frozen"):
        cfg.workers = 2
    with pytest.raises(AttributeError, match="frozen"):
        del cfg.workers
    with pytest.raises(TypeError):
        cfg.provenance["workers"] = CLI
    assert cfg.workers == 1


def test_unknown_attribute():
    with pytest.raises(AttributeError):
        _ = Settings().wokers


def test_replace_checks_and_leaves_the_original():
    cfg = Settings()
    changed = cfg.replace(CLI, workers="3")
    assert (cfg.workers, changed.workers) == (1, 3)
    assert str(changed.provenance["workers"]) == "command line --workers"
    assert str(cfg.replace(workers=2).provenance["workers"]) == "application"
    with pytest.raises(ConfigError, match=r"there is no setting 'wokers'.*did you mean 'workers'"):
        cfg.replace(wokers=3)
    with pytest.raises(ConfigError, match="'x' is not a whole number"):
        cfg.replace(workers="x")


def test_error_of_a_value_names_everything():
    with pytest.raises(ConfigError) as caught:
        row_of("worker_class").check("gthred", Source(Level.FILE, "./gunicorn.conf.py"))
    assert caught.value.setting == "worker_class"
    assert caught.value.source == "./gunicorn.conf.py"
    assert caught.value.hint == "did you mean 'gthread'?"
    assert "\n" not in str(caught.value)


def test_hook_is_none_unless_the_operator_wrote_one():
    def mine(worker, req):
        return None

    cfg = Settings().replace(pre_request=mine)
    assert cfg.hook("pre_request") is mine
    assert cfg.hook("post_request") is None
    assert Settings().hook("ssl_context") is None
    assert Settings().post_request(1, 2, 3, 4) is None


def test_address():
    cfg = Settings().replace(bind=[":80", "h:81", "[::1]:82", "unix:/run/x", "unix:@y", "fd://3"])
    assert cfg.address == [("0.0.0.0", 80), ("h", 81), ("::1", 82), "/run/x", "\0y", 3]


def test_shorthands_of_older_readers():
    cfg = Settings().replace(user="0", group=0, raw_env=["A=1", "B=x=y"], certfile="c")
    assert (cfg.uid, cfg.gid, cfg.is_ssl) == (0, 0, True)
    assert cfg.env == {"A": "1", "B": "x=y"}
    assert Settings().is_ssl is False
    assert isinstance(cfg.forwarded_allow_ips, str)
    assert cfg.settings["bind"].get() == ["127.0.0.1:8000"]
    assert cfg.settings["workers"].cli == ["-w", "--workers"]
    assert "bind" in cfg.settings
    assert len(cfg.settings) == len(TABLE) == len(list(cfg.settings))


@pytest.mark.parametrize(
    ("given", "threads", "name"),
    [
        ("sync", 1, "sync"),
        ("sync", 4, "gthread"),
        ("gunicorn.workers.sync.SyncWorker", 1, "sync"),
        ("gunicorn.workers.sync.SyncWorker", 2, "gthread"),
        ("egg:gunicorn#sync", 1, "sync"),
        ("gthread", 1, "gthread"),
        ("pkg.mod.Worker", 4, "pkg.mod.Worker"),
        (dict, 4, "dict"),
    ],
)
def test_worker_class_str(given, threads, name):
    assert Settings().replace(worker_class=given, threads=threads).worker_class_str == name


def test_process_name_falls_back():
    assert settle({})["proc_name"] == "gunicorn"
    assert settle({"default_proc_name": "app:app"})["proc_name"] == "app:app"
    assert settle({"default_proc_name": "app:app", "proc_name": "mine"})["proc_name"] == "mine"


def test_key_without_certificate():
    with pytest.raises(ConfigError, match="keyfile: is set, but certfile is not"):
        check_together(Settings().replace(keyfile="k"))
    check_together(Settings().replace(keyfile="k", certfile="c"))


def test_repr_shows_what_was_set():
    assert repr(Settings().replace(workers=3)) == "Settings(workers=3)"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Source(Level.DEFAULT), "default"),
        (Source(Level.VARIABLE, "PORT"), "env PORT"),
        (Source(Level.FRAMEWORK, "application"), "application"),
        (Source(Level.FILE, "./gunicorn.conf.py"), "./gunicorn.conf.py"),
        (Source(Level.ENVIRONMENT, "GUNICORN_BIND"), "env GUNICORN_BIND"),
        (Source(Level.CMD_ARGS, "GUNICORN_CMD_ARGS"), "env GUNICORN_CMD_ARGS"),
        (Source(Level.COMMAND_LINE, "-w"), "command line -w"),
        (Source(Level.COMMAND_LINE), "command line"),
    ],
)
def test_sources_are_named(source, text):
    assert str(source) == text


def test_what_has_no_effect_yet_is_named_once_somebody_sets_it():
    assert Settings().unheeded() == []
    assert Settings().replace(http_parser="fast", workers=3).unheeded() == ["http_parser (needs a native parser)"]
