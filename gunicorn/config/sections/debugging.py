"""Help for developers: reloading, tracing, and looking at the configuration."""

from __future__ import annotations

from gunicorn.config.casts import BOOLEAN, FILES, one_of
from gunicorn.config.option import Action, Section, option


class Debugging(Section, title="Debugging"):
    """Not for production."""

    reload: bool = option(
        False,
        "--reload",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether the workers are replaced when the code of the application changes. For development.""",
    )
    reload_engine: str = option(
        "auto",
        "--reload-engine",
        kind=one_of("auto", "poll", "inotify", label="reload engine"),
        metavar="STRING",
        doc="""How changes are noticed: `inotify` (Linux), `poll`, or `auto` for the better of the two.""",
    )
    reload_extra_files: list[str] = option(
        [],
        "--reload-extra-file",
        kind=FILES,
        action=Action.APPEND,
        metavar="FILES",
        doc="""Further files to watch, such as templates; patterns like `templates/*.html` are allowed.""",
    )
    spew: bool = option(
        False,
        "--spew",
        kind=BOOLEAN,
        action=Action.TRUE,
        doc="""Whether every executed line is printed. It is very slow and very long.""",
    )
    check_config: bool = option(
        False,
        "--check-config",
        kind=BOOLEAN,
        action=Action.TRUE,
        live=False,
        doc="""Check the settings, load the application, and exit: 0 if both are good.""",
    )
    print_config: bool = option(
        False,
        "--print-config",
        kind=BOOLEAN,
        action=Action.TRUE,
        live=False,
        doc="""Print every setting as it was understood, and exit; with `--source` also where it comes from.""",
    )
