"""What the processes are called."""

from __future__ import annotations

from gunicorn.config.casts import TEXT, text_or
from gunicorn.config.option import Section, option


class ProcessNaming(Section, title="Process Naming"):
    """Titles that `ps` and `top` show where setproctitle is installed."""

    proc_name: str | None = option(
        None,
        "-n",
        "--name",
        kind=TEXT,
        metavar="STRING",
        doc="""The name in the titles of all processes. Without it `default_proc_name` is used.""",
    )
    default_proc_name: str = option(
        "gunicorn",
        kind=text_or("gunicorn"),
        doc="""The name where `proc_name` is not set: the application, once it is known.""",
    )
