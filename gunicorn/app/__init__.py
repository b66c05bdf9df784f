"""Applications and the commands that serve them: loading, embedding, the `gunicorn` command."""
