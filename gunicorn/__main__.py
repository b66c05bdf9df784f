"""`python -m gunicorn`: the `gunicorn` command."""

from gunicorn.app.wsgiapp import run

if __name__ == "__main__":
    run()
