"""Real WSGI applications: wsgiref's validator, Flask, a generated Django project, an embedded server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from tests.support.client import Session
from tests.support.load import Load
from tests.support.processes import eventually
from tests.support.server import ROOT, Server, clean_environment, run_gunicorn

FLASK = "tests.apps.flask_project:app"


@pytest.mark.parametrize("tls", [False, True])
def test_the_validator_finds_nothing(wsgi_worker, tls):
    with Server("tests.apps.validated:app", *wsgi_worker, tls=tls) as server, server.connect() as connection:
        data = b"line one\nline two\n" * 1000
        for path in ("/", "/lines", "/line", "/iterate", "/with%20space?q=%41"):
            for body in (b"", data):
                assert connection.request("POST", path, (), body).body == body
            assert connection.request("POST", path, (), [data[:5000], data[5000:]]).body == data
        assert connection.request("GET", "/").status == 200
        assert "AssertionError" not in server.log()


@pytest.mark.parametrize("uri", [FLASK, "tests.apps.flask_project:create_app()"])
def test_flask(wsgi_worker, uri):
    with Server(uri, *wsgi_worker, "-w", "2", tracebacks=True) as server, Session(server.connect) as connection:
        assert re.fullmatch(r"\d+ flask False", connection.request("GET", "/").text)
        assert connection.request("GET", "/stream").text == "".join(f"line {n}\n" for n in range(100))
        assert connection.request("GET", "/missing").status == 404
        assert connection.request("GET", "/teapot").status == 418
        assert connection.request("HEAD", "/").body == b""
        assert connection.request("GET", "/url?x=1", [("Host", "shop.example")]).text == "http://shop.example/url?x=1"
        boundary = '--x\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
        boundary += '--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        body = boundary.encode() + b"y" * 700_000 + b"\r\n--x--\r\n"
        upload = connection.request("POST", "/upload", [("Content-Type", "multipart/form-data; boundary=x")], body)
        assert json.loads(upload.body) == {"name": "a.bin", "size": 700_000, "field": "value"}
        first = connection.request("GET", "/count")
        cookie = first.header("set-cookie")
        assert cookie
        assert connection.request("GET", "/count", [("Cookie", cookie.split(";")[0])]).text == "2"
        assert connection.request("GET", "/crash").status == 500
        server.wait_log("the view crashed")


def test_a_flask_factory_with_arguments(wsgi_worker):
    uri = "tests.apps.flask_project:create_app('shop', debug=True)"
    with Server(uri, *wsgi_worker) as server:
        assert re.fullmatch(r"\d+ shop True", server.get().text)


@pytest.fixture(scope="session")
def django_project(tmp_path_factory) -> Path:
    """What `django-admin startproject` and one app with a model make."""
    folder = tmp_path_factory.mktemp("django")
    run = [sys.executable, "-m", "django"]
    subprocess.run([*run, "startproject", "project", str(folder)], check=True, timeout=60)
    subprocess.run([sys.executable, "manage.py", "startapp", "notes"], cwd=folder, check=True, timeout=60)
    (folder / "notes" / "models.py").write_text(
        "from django.db import models\n\nclass Note(models.Model):\n    text = models.CharField(max_length=100)\n"
    )
    (folder / "notes" / "views.py").write_text(
        "import os\n"
        "from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse\n"
        "from django.views.decorators.csrf import csrf_exempt\n"
        "from notes.models import Note\n\n"
        "def pid(request):\n    return HttpResponse(f'{os.getpid()} django')\n\n"
        "@csrf_exempt\n"
        "def notes(request):\n"
        "    if request.method == 'POST':\n        Note.objects.create(text=request.POST['text'])\n"
        "    return JsonResponse({'notes': [note.text for note in Note.objects.all()]})\n\n"
        "def stream(request):\n    return StreamingHttpResponse(f'{n}\\n' for n in range(100))\n\n"
        "def file(request):\n    return FileResponse(open('manage.py', 'rb'))\n\n"
        "def secure(request):\n    return HttpResponse(f'{request.is_secure()} {request.build_absolute_uri()}')\n"
    )
    (folder / "project" / "urls.py").write_text(
        "from django.contrib import admin\nfrom django.urls import path\nfrom notes import views\n\n"
        "urlpatterns = [path('admin/', admin.site.urls), path('', views.pid), path('notes', views.notes),\n"
        "    path('stream', views.stream), path('file', views.file), path('secure', views.secure)]\n"
    )
    settings = folder / "project" / "settings.py"
    text = settings.read_text().replace("ALLOWED_HOSTS = []", "ALLOWED_HOSTS = ['*']")
    settings.write_text(text.replace("INSTALLED_APPS = [", "INSTALLED_APPS = [\n    'notes',"))
    for command in (["makemigrations", "notes"], ["migrate"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


def test_a_generated_django_project(wsgi_worker, django_project):
    with (
        Server("project.wsgi", *wsgi_worker, "--workers", "4", cwd=django_project) as server,
        Session(server.connect) as connection,
    ):
        server.wait_workers(4)
        assert connection.request("GET", "/").text.endswith("django")
        login = connection.request("GET", "/admin/login/")
        assert (login.status, b"csrfmiddlewaretoken" in login.body) == (200, True)
        assert connection.request("GET", "/admin/").status == 302
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        added = connection.request("POST", "/notes", form, f"text={wsgi_worker[1]}+note".encode())
        assert f"{wsgi_worker[1]} note" in json.loads(added.body)["notes"]
        assert connection.request("GET", "/stream").text == "".join(f"{n}\n" for n in range(100))
        assert connection.request("GET", "/file").body == (django_project / "manage.py").read_bytes()
        assert connection.request("HEAD", "/file").body == b""
        assert connection.request("GET", "/missing").status == 404


def test_django_under_load_and_reload(wsgi_worker, django_project):
    with Server("project.wsgi", *wsgi_worker, "-w", "2", cwd=django_project) as server:
        old = set(server.wait_workers(2))
        with Load(server.connect, connections=4) as load:
            load.progress(50)
            server.signal(SIGHUP)
            eventually(lambda: len(server.workers()) == 2 and not old & set(server.workers()), "new workers", 20)
            load.progress(50)
            load.assert_clean()
        assert server.stop(SIGTERM) == 0


def test_django_settings_through_env_and_preload(django_project):
    with Server("project.wsgi:application", "--preload", "-e", "ANY=1", cwd=django_project) as server:
        assert server.get().text.endswith("django")


def test_django_that_is_misconfigured_says_so(django_project):
    done = run_gunicorn("-e", "DJANGO_SETTINGS_MODULE=no.such.settings", "project.wsgi", cwd=django_project)
    assert done.returncode == 4
    assert "ModuleNotFoundError" in done.stderr


EMBEDDED = """
import sys
from gunicorn.app.base import BaseApplication

def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"embedded"]

class Standalone(BaseApplication):
    def __init__(self, app, options):
        self.options = options
        self.application = app
        super().__init__()

    def load_config(self):
        for name, value in self.options.items():
            if name in self.cfg.settings and value is not None:
                self.cfg.set(name.lower(), value)

    def load(self):
        return self.application

if __name__ == "__main__":
    Standalone(hello, {"bind": sys.argv[2], "workers": 2, "worker_class": "WORKER", "unknown": 1}).run()
"""


def test_embedding(wsgi_worker, tmp_path):
    (tmp_path / "embed.py").write_text(EMBEDDED.replace("WORKER", wsgi_worker[1]))
    with Server(None, command=[sys.executable, "embed.py"], cwd=tmp_path) as server:
        server.wait_workers(2)
        assert server.get().text == "embedded"
        server.signal(SIGHUP)
        server.wait_log("hup")
        eventually(lambda: server.get().text == "embedded", "it serves on")
        assert server.stop(SIGTERM) == 0


def test_embedding_with_a_wrong_setting(tmp_path):
    (tmp_path / "embed.py").write_text(EMBEDDED.replace("WORKER", "gthraed"))
    done = subprocess.run(
        [sys.executable, "embed.py", "--bind", "127.0.0.1:0"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "gthraed" in done.stderr


def test_the_installed_command(worker):
    command = Path(sys.executable).with_name("gunicorn")
    if not command.exists():
        pytest.skip("the package is not installed, only importable")
    with Server("tests.apps.hello:app", *worker, command=[str(command)], env={"PYTHONPATH": str(ROOT)}) as server:
        assert server.get().status == 200
