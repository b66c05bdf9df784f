"""How the server is a process: directories, users, files, environment."""

from __future__ import annotations

import os

from gunicorn.config.casts import (
    ASSIGNMENTS,
    BOOLEAN,
    GROUP,
    MODE,
    OPTIONAL_BOOLEAN,
    STRINGS,
    TEXT,
    USER,
    Kind,
)
from gunicorn.config.option import Action, Section, option

DIRECTORY = Kind("chdir", lambda value: os.path.abspath(TEXT.parse(value) or "."), TEXT.schema)


class ServerMechanics(Section, title="Server Mechanics"):
    """What the server does as a process."""

    preload_app: bool = option(
        False,
        "--preload",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Load the application once, before the workers are forked, instead of in each worker.

        It saves memory and start-up time. New code is then taken up by an upgrade (USR2) or a restart, since a
        reload forks from what is loaded already.""",
    )
    sendfile: bool | None = option(
        None,
        "--no-sendfile",
        kind=OPTIONAL_BOOLEAN,
        action=Action.FALSE,
        env="SENDFILE",
        doc="""Whether files are sent by the kernel's sendfile. Where the variable `SENDFILE` is set, it is the default.

        None means yes, where the socket allows it.""",
    )
    reuse_port: bool = option(
        False,
        "--reuse-port",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether listeners are opened with `SO_REUSEPORT`, so that another server may share their ports.""",
    )
    chdir: str = option(
        "",
        "--chdir",
        kind=DIRECTORY,
        factory=os.getcwd,
        default_text="the current directory",
        doc="""The directory to change to before the application is loaded.""",
    )
    daemon: bool = option(
        False,
        "-D",
        "--daemon",
        kind=BOOLEAN,
        action=Action.TRUE,
        live=False,
        doc="""Whether the server leaves the terminal and runs in the background.""",
    )
    raw_env: list[str] = option(
        [],
        "-e",
        "--env",
        kind=ASSIGNMENTS,
        action=Action.APPEND,
        metavar="ENV",
        doc="""Environment variables for the application, each `NAME=VALUE`.""",
    )
    pidfile: str | None = option(
        None,
        "-p",
        "--pid",
        kind=TEXT,
        metavar="FILE",
        live=False,
        doc="""The file that holds the process id of the arbiter. Without it none is written.""",
    )
    worker_tmp_dir: str | None = option(
        None,
        "--worker-tmp-dir",
        kind=TEXT,
        metavar="DIR",
        doc="""Accepted for old configurations and without effect: the heartbeat of the workers touches no file.""",
    )
    user: int = option(
        None,
        "-u",
        "--user",
        kind=USER,
        metavar="USER",
        factory=os.geteuid,
        default_text="the effective user",
        doc="""The user, by name or number, that workers run as. The arbiter must run as root to change it.""",
    )
    group: int = option(
        None,
        "-g",
        "--group",
        kind=GROUP,
        metavar="GROUP",
        factory=os.getegid,
        default_text="the effective group",
        doc="""The group, by name or number, that workers run as.""",
    )
    umask: int = option(
        0,
        "-m",
        "--umask",
        kind=MODE,
        metavar="INT",
        live=False,
        doc="""The bits that are missing in the modes of files the server makes, unix sockets among them.

        `0o022` and `022` are both read as octal.""",
    )
    initgroups: bool = option(
        False,
        "--initgroups",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether workers get all groups of `user`, not only `group`.""",
    )
    tmp_upload_dir: str | None = option(
        None,
        kind=TEXT,
        metavar="DIR",
        doc="""The directory of the files that hold large request bodies. Without it the system's.""",
    )
    pythonpath: str | None = option(
        None,
        "--pythonpath",
        kind=TEXT,
        metavar="STRING",
        doc="""Directories, comma separated, that are put in front of Python's search path.""",
    )
    paste: str | None = option(
        None,
        "--paste",
        "--paster",
        kind=TEXT,
        metavar="STRING",
        doc="""A Paste configuration file. Settings in its `[server:main]` section count as the framework's.

        `FILE#NAME` takes the section `[server:NAME]` instead.""",
    )
    raw_paste_global_conf: list[str] = option(
        [],
        "--paste-global",
        kind=STRINGS,
        action=Action.APPEND,
        metavar="CONF",
        doc="""Variables for the Paste file, each `NAME=VALUE`.""",
    )
