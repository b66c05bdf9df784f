"""`Config`, the settings an embedding application fills in."""

import pytest

from gunicorn.config import Config
from gunicorn.errors import ConfigError


def test_what_embedding_applications_do():
    cfg = Config("usage", prog="mine")
    options = {"bind": "127.0.0.1:8080", "workers": 4, "nonsense": 1, "timeout": None}
    for key, value in options.items():
        if key in cfg.settings and value is not None:
            cfg.set(key.lower(), value)
    assert cfg.bind == ["127.0.0.1:8080"]
    assert cfg.workers == 4
    assert cfg.settings["workers"].get() == 4
    assert cfg.address == [("127.0.0.1", 8080)]
    assert cfg.given == {"bind": ["127.0.0.1:8080"], "workers": 4}
    assert (cfg.usage, cfg.prog) == ("usage", "mine")


def test_freeze_keeps_the_source():
    cfg = Config()
    cfg.set("workers", "2")
    frozen = cfg.freeze()
    cfg.set("workers", 3)
    assert frozen.workers == 2
    assert str(frozen.provenance["workers"]) == "application"
    assert str(frozen.provenance["bind"]) == "default"


def test_mistakes():
    cfg = Config()
    with pytest.raises(ConfigError, match="did you mean 'workers'"):
        cfg.set("wokers", 3)
    with pytest.raises(ConfigError, match=r"workers: 'x' is not a whole number >= 0 \(application\)"):
        cfg.set("workers", "x")
    with pytest.raises(AttributeError, match=r"cfg\.set"):
        cfg.workers = 3
    with pytest.raises(AttributeError):
        _ = cfg.wokers
    with pytest.raises(AttributeError):
        _ = cfg._private


def test_platforms_have_a_say_and_applications_the_last_word():
    cfg = Config(environ={"PORT": "9000", "WEB_CONCURRENCY": "3"})
    assert (cfg.bind, cfg.workers) == (["0.0.0.0:9000"], 3)
    assert str(cfg.freeze().provenance["bind"]) == "env PORT"
    cfg.set("workers", 5)
    assert cfg.workers == 5
    assert cfg.given == {"workers": 5}


def test_a_wrong_variable_of_the_platform_is_told():
    with pytest.raises(ConfigError, match="WEB_CONCURRENCY"):
        Config(environ={"WEB_CONCURRENCY": "many"})
