"""Which configuration file is read, and which application is served."""

from __future__ import annotations

from gunicorn.config.casts import TEXT
from gunicorn.config.option import Section, option


class ConfigFile(Section, title="Config File"):
    """Where the settings and the application are found."""

    config: str | None = option(
        "./gunicorn.conf.py",
        "-c",
        "--config",
        kind=TEXT,
        metavar="CONFIG",
        live=False,
        doc="""The configuration file: PATH, `file:PATH` or `python:MODULE`.

        A path that ends in `.toml` is read as TOML; of a `pyproject.toml` the table `[tool.gunicorn]` counts.
        Everything else is Python: each module-level name that is a setting is taken. Without this setting
        `./gunicorn.conf.py` is read where it exists, else `[tool.gunicorn]` of `./pyproject.toml`. A file that
        was named must exist. `config` itself has no effect inside a configuration file.""",
    )
    wsgi_app: str | None = option(
        None,
        kind=TEXT,
        metavar="STRING",
        doc="""The application, as `MODULE:ATTRIBUTE` or `MODULE:FACTORY(ARGUMENTS)`.

        It is used where the command line names none. The attribute is `application` unless said otherwise.""",
    )
