"""Hooks: which functions are taken, by the arguments they will be given."""

import functools
import inspect

import pytest

from gunicorn.config.casts import Refusal
from gunicorn.config.hooks import POST_REQUEST, hook, no_context, nothing

PAIR = hook("server", "worker")


def two(server, worker):
    return server, worker


class Callable2:
    def __call__(self, server, worker):
        return server, worker

    def method(self, server, worker):
        return server, worker


@pytest.mark.parametrize(
    "function",
    [
        two,
        lambda *everything: None,
        lambda server, worker, more=None: None,
        Callable2(),
        Callable2().method,
        functools.partial(lambda extra, server, worker: None, 1),
        dict.fromkeys,
        nothing,
    ],
)
def test_functions_that_fit(function):
    assert PAIR.parse(function) == function


@pytest.mark.parametrize(
    "function", [lambda: None, lambda one: None, lambda one, two, three: None, lambda one, *, two: None]
)
def test_functions_that_do_not_fit(function):
    with pytest.raises(Refusal, match=r"must take 2 arguments: \(server, worker\)"):
        PAIR.parse(function)


@pytest.mark.parametrize("value", [3, None, [], {}])
def test_what_is_no_function(value):
    with pytest.raises(Refusal, match="is not a function"):
        PAIR.parse(value)


def test_dotted_paths():
    assert hook("path").parse("os.path.basename")("/a/b") == "b"
    assert hook("path").parse("os.path:basename")("/a/b") == "b"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("basename", "nor the dotted path"),
        ("no_such_module.function", "cannot be imported"),
        ("os.path.no_such_function", "module 'os.path' has no 'no_such_function'"),
        ("os.path.sep", "is not a function"),
    ],
)
def test_dotted_paths_that_lead_nowhere(path, text):
    with pytest.raises(Refusal, match=text):
        hook("path").parse(path)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_post_request_is_called_with_four_and_gets_what_it_takes(count):
    seen = []
    functions = {
        2: lambda worker, req: seen.append((worker, req)),
        3: lambda worker, req, environ: seen.append((worker, req, environ)),
        4: lambda worker, req, environ, resp: seen.append((worker, req, environ, resp)),
    }
    POST_REQUEST.parse(functions[count])("w", "r", "e", "p")
    assert seen == [("w", "r", "e", "p")[:count]]


def test_post_request_with_defaults_or_stars_gets_all():
    assert POST_REQUEST.parse(lambda *arguments: len(arguments))(1, 2, 3, 4) == 4
    assert POST_REQUEST.parse(lambda one, two, three=None: three)(1, 2, 3, 4) == 3


@pytest.mark.parametrize("function", [lambda worker: None, lambda a, b, c, d, e: None])
def test_post_request_of_another_shape_is_refused(function):
    with pytest.raises(Refusal, match="2 to 4 arguments"):
        POST_REQUEST.parse(function)


def test_a_shortened_hook_can_be_traced_to_its_author():
    assert inspect.unwrap(POST_REQUEST.parse(two)) is two


def test_defaults_do_nothing():
    assert nothing(1, 2, 3) is None
    assert no_context(None, lambda: "context") == "context"
