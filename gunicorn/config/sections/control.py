"""The control socket, through which a running server is asked and told."""

from __future__ import annotations

from gunicorn.config.casts import BOOLEAN, MODE, TEXT
from gunicorn.config.option import Action, Section, option

LATER = "the control socket"


class Control(Section, title="Control"):
    """Where the control socket is, and who may use it."""

    control_socket: str | None = option(
        None,
        "--control-socket",
        kind=TEXT,
        metavar="PATH",
        live=False,
        later=LATER,
        default_text="gunicorn.ctl in $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR or $HOME/.gunicorn",
        doc="""The path of the control socket.

        Without it the first directory that can be written is taken, of: `$RUNTIME_DIRECTORY`, `$XDG_RUNTIME_DIR`,
        `$HOME/.gunicorn`. Where there is none, the server runs without a control socket.""",
    )
    control_socket_mode: int = option(
        0o600,
        "--control-socket-mode",
        kind=MODE,
        metavar="INT",
        live=False,
        later=LATER,
        default_text="0o600",
        doc="""The file mode of the control socket. Whoever may write to it may stop the server.""",
    )
    control_socket_disable: bool = option(
        False,
        "--no-control-socket",
        kind=BOOLEAN,
        action=Action.TRUE,
        live=False,
        later=LATER,
        doc="""Run without a control socket.""",
    )
