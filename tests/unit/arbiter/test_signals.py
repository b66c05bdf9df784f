"""Each signal's row: which verb it calls, and when it is ignored."""

import signal
from dataclasses import dataclass, field

import pytest

from gunicorn.arbiter.signals import SIGNALS


@dataclass
class Identity:
    successor: int = 0
    has_predecessor: bool = False


@dataclass
class Config:
    daemon: bool = False


@dataclass
class Server:
    """The verbs, remembered."""

    num_workers: int = 2
    is_stopping: bool = False
    identity: Identity = field(default_factory=Identity)
    cfg: Config = field(default_factory=Config)
    done: list = field(default_factory=list)

    @property
    def log(self):
        return self

    def info(self, *_):
        pass

    debug = info

    def warning(self, text, *_):
        self.done.append("warning")

    def stop(self, *, graceful):
        self.done.append("drain" if graceful else "quit")
        self.is_stopping = True

    def reload(self):
        self.done.append("reload")

    def reopen(self):
        self.done.append("reopen")

    def upgrade(self):
        self.done.append("upgrade")


@pytest.mark.parametrize(
    ("number", "done"),
    [
        (signal.SIGTERM, ["drain"]),
        (signal.SIGINT, ["quit"]),
        (signal.SIGQUIT, ["quit"]),
        (signal.SIGHUP, ["reload"]),
        (signal.SIGUSR1, ["reopen"]),
        (signal.SIGUSR2, ["upgrade"]),
        (signal.SIGCHLD, []),
        (signal.SIGWINCH, []),
    ],
)
def test_verbs(number, done):
    server = Server()
    SIGNALS[number](server)
    assert server.done == done


def test_every_documented_signal_has_a_row():
    names = ["CHLD", "QUIT", "INT", "TERM", "HUP", "TTIN", "TTOU", "USR1", "USR2", "WINCH"]
    assert {number.name for number in SIGNALS} == {f"SIG{name}" for name in names}


def test_a_second_term_does_not_wait():
    server = Server()
    SIGNALS[signal.SIGTERM](server)
    SIGNALS[signal.SIGTERM](server)
    assert server.done == ["drain", "quit"]


def test_one_more_one_less_never_none():
    server = Server(num_workers=1)
    SIGNALS[signal.SIGTTIN](server)
    assert server.num_workers == 2
    for _ in range(3):
        SIGNALS[signal.SIGTTOU](server)
    assert server.num_workers == 1


def test_winch_counts_for_daemons_only():
    server = Server(cfg=Config(daemon=True))
    SIGNALS[signal.SIGWINCH](server)
    assert server.num_workers == 0


@pytest.mark.parametrize("identity", [Identity(successor=4711), Identity(has_predecessor=True)])
def test_one_upgrade_at_a_time(identity):
    server = Server(identity=identity)
    SIGNALS[signal.SIGUSR2](server)
    assert server.done == ["warning"]


def test_no_upgrade_while_stopping():
    server = Server(is_stopping=True)
    SIGNALS[signal.SIGUSR2](server)
    assert server.done == []
