"""Settings of the demo. Every name here is a setting of docs/settings.md."""

wsgi_app = "demo:app"
workers = 2
worker_class = "gthread"
threads = 4
accesslog = "-"
proc_name = "demo"
