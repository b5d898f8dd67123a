"""Applications that say how much of a request reached them, one for each framework; a body may also stay unread."""

import hashlib

import flask

flask_app = flask.Flask(__name__)


@flask_app.post("/")
def told():
    body = flask.request.get_data()
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


@flask_app.post("/denied")
def denied():
    """The body is not looked at."""
    return "who are you?", 401


@flask_app.get("/")
def headers():
    names = ("HTTP_TRANSFER_ENCODING", "REMOTE_ADDR")
    seen = " ".join(f"{name}={flask.request.environ.get(name)}" for name in names)
    return f"{len(flask.request.query_string)} {sum(len(value) for _, value in flask.request.headers)} {seen}"


def plain_app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()]


def django_app(environ, start_response):
    """Made when it is first asked: only one test needs Django."""
    return _django()(environ, start_response)


_made = []


def _django():
    if not _made:
        import django
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path

        def told(request):
            return HttpResponse(f"{len(request.body)} {hashlib.sha256(request.body).hexdigest()}")

        settings.configure(
            ALLOWED_HOSTS=["*"], SECRET_KEY="unused", ROOT_URLCONF=(path("", told),), MIDDLEWARE=[],
            DATA_UPLOAD_MAX_MEMORY_SIZE=None,
        )  # fmt: skip
        django.setup()
        _made.append(get_wsgi_application())
    return _made[0]
