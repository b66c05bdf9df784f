"""An application inside `wsgiref.validate`: any breach of PEP 3333 by the server becomes an exception.

It reads the body in each permitted way and answers what it read.
"""

from __future__ import annotations

from wsgiref.validate import validator


def reader(environ, start_response):
    stream = environ["wsgi.input"]
    way = environ["PATH_INFO"]
    if way == "/lines":
        data = b"".join(stream.readlines())
    elif way == "/line":
        data = b"".join(iter(lambda: stream.readline(100), b""))
    elif way == "/iterate":
        data = b"".join(stream)
    else:
        data = b"".join(iter(lambda: stream.read(1000), b""))
    environ["wsgi.errors"].write("noted\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


app = validator(reader)
