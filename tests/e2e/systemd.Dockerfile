# A virtual machine as people have them: Debian, its systemd, its nginx, an application in /srv/shop. Only for tests.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends systemd systemd-sysv nginx-light logrotate procps curl \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
ENV PIP_CONSTRAINT=/src/constraints.txt
RUN mkdir -p operator/uwsgi_autopilot && touch operator/uwsgi_autopilot/__init__.py \
 && python3 -m venv /srv/venv \
 && /srv/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check '.[servers]'
COPY operator operator
RUN /srv/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --force-reinstall .
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
