"""Settings of a small shop. What differs between two machines is read from the environment, in environment.py.

DJANGO_ALLOWED_HOSTS          shop.example.com,www.example.com; only local ones when absent
DJANGO_SECRET_KEY             needed beside DJANGO_ALLOWED_HOSTS
DATABASE_URL, or PGHOST, ...  PostgreSQL; SQLite when absent
DJANGO_CONN_MAX_AGE           seconds that a connection to PostgreSQL is kept: 60
DJANGO_CSRF_TRUSTED_ORIGINS   https://shop.example.com, where something in front of nginx speaks https
DJANGO_DEBUG                  1: pages with tracebacks
"""

import os
from pathlib import Path

from shop.environment import LOCAL_HOSTS, database, secret_key, words

BASE_DIR = Path(__file__).resolve().parents[1]

DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = words(os.environ.get("DJANGO_ALLOWED_HOSTS", "")) or LOCAL_HOSTS
SECRET_KEY = secret_key(os.environ, BASE_DIR / ".secret-key")
CSRF_TRUSTED_ORIGINS = words(os.environ.get("DJANGO_CSRF_TRUSTED_ORIGINS", ""))

INSTALLED_APPS = [
    "catalog",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # Checks the Host of each request, and so ALLOWED_HOSTS.
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "shop.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": database(os.environ, BASE_DIR / "db.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# `python manage.py collectstatic` gathers them there, and nginx serves them: spec.nginx.static.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"

# To standard error. Django's own default is to print nothing while DEBUG is off, no traceback either.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"django.request": {"level": "ERROR"}},  # not each 404
}

TIME_ZONE = "UTC"
USE_TZ = True
