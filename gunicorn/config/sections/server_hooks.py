"""Functions of the operator in the life of the server, its workers and its requests."""

from __future__ import annotations

from gunicorn.config.hooks import POST_REQUEST, Hook, hook, no_context, nothing
from gunicorn.config.option import Section, option


class ServerHooks(Section, title="Server Hooks"):
    """Each is a function in the configuration file; the default does nothing."""

    on_starting: Hook = option(
        nothing,
        kind=hook("server"),
        live=False,
        doc="""`on_starting(server)`: in the arbiter, before anything is opened or forked.""",
    )
    on_reload: Hook = option(
        nothing,
        kind=hook("server"),
        doc="""`on_reload(server)`: in the arbiter, when a reload begins and the new settings are in force.""",
    )
    when_ready: Hook = option(
        nothing,
        kind=hook("server"),
        live=False,
        doc="""`when_ready(server)`: in the arbiter, once the listeners are open.""",
    )
    pre_fork: Hook = option(
        nothing,
        kind=hook("server", "worker"),
        doc="""`pre_fork(server, worker)`: in the arbiter, just before a worker is forked.""",
    )
    post_fork: Hook = option(
        nothing,
        kind=hook("server", "worker"),
        doc="""`post_fork(server, worker)`: in the new worker, just after the fork.""",
    )
    post_worker_init: Hook = option(
        nothing,
        kind=hook("worker"),
        doc="""`post_worker_init(worker)`: in the worker, once it has loaded the application.""",
    )
    worker_int: Hook = option(
        nothing,
        kind=hook("worker"),
        doc="""`worker_int(worker)`: in the worker, when it was told to stop quickly (INT or QUIT).""",
    )
    worker_abort: Hook = option(
        nothing,
        kind=hook("worker"),
        doc="""`worker_abort(worker)`: in the worker, when it is ended for its silence (ABRT, see `timeout`).""",
    )
    pre_exec: Hook = option(
        nothing,
        kind=hook("server"),
        doc="""`pre_exec(server)`: in the process that becomes the new arbiter on USR2, before it does.""",
    )
    pre_request: Hook = option(
        nothing,
        kind=hook("worker", "req"),
        doc="""`pre_request(worker, req)`: before the application is called.""",
    )
    post_request: Hook = option(
        nothing,
        kind=POST_REQUEST,
        doc="""`post_request(worker, req, environ, resp)`: after the answer. It may take two, three or all four.""",
    )
    child_exit: Hook = option(
        nothing,
        kind=hook("server", "worker"),
        doc="""`child_exit(server, worker)`: in the arbiter, after a worker has ended.""",
    )
    worker_exit: Hook = option(
        nothing,
        kind=hook("server", "worker"),
        doc="""`worker_exit(server, worker)`: in the worker, as the last thing it does.""",
    )
    nworkers_changed: Hook = option(
        nothing,
        kind=hook("server", "new_value", "old_value"),
        doc="""`nworkers_changed(server, new_value, old_value)`: in the arbiter, when the number of workers changes.

        At the start the old value is None.""",
    )
    on_exit: Hook = option(
        nothing, kind=hook("server"), doc="""`on_exit(server)`: in the arbiter, as the last thing before it ends."""
    )
    ssl_context: Hook = option(
        no_context,
        kind=hook("config", "default_ssl_context_factory"),
        doc="""`ssl_context(config, default_ssl_context_factory)`: returns the `ssl.SSLContext` of the TLS listeners.

        The factory takes no argument and returns the context that the settings describe; change it and return it,
        or make another.""",
    )
