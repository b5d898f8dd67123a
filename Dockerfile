# syntax=docker/dockerfile:1
# Three images:
#   docker build --target operator -t uwsgi-autopilot:dev .        the operator, and the agent that pods copy from it
#   docker build --target app      -t uwsgi-autopilot-app:dev .    the example application on uWSGI, to be copied
#   docker compose build                                           the example and the command, for compose.yaml
# Another base, for example of a registry of your own: --build-arg PYTHON_IMAGE=registry.example.com/python:3.11-slim
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS operator-packages
WORKDIR /src
COPY requirements requirements
# What is needed, each by its hash; ours comes later, so that a changed line of code neither fetches nor ships it again.
# Without pip in it: nothing is installed into a running image. The last line compiles what the operator imports; the
# Kubernetes client has 60 MB of bytecode that nobody loads.
RUN python3 -m venv --without-pip /venv \
 && pip --python /venv/bin/python3 install --no-compile --no-cache-dir --disable-pip-version-check --no-deps \
      --require-hashes --requirement requirements/operator.txt \
 && pip install --no-compile --no-cache-dir --disable-pip-version-check --no-deps --root-user-action=ignore \
      --require-hashes --requirement requirements/build.txt \
 && /venv/bin/python3 -c 'import aiohttp.web, kopf, kubernetes.aio.client, kubernetes.aio.config, prometheus_client, pydantic, rich, yaml'

FROM operator-packages AS operator-build
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
ARG SOURCE_DATE_EPOCH
# By the hatchling that was installed above: nothing is fetched here.
RUN pip wheel --disable-pip-version-check --no-deps --no-build-isolation --no-index --wheel-dir /wheel . \
 && pip --python /venv/bin/python3 install --no-cache-dir --disable-pip-version-check --no-deps --no-index \
      --target /ours /wheel/*.whl \
 && mkdir -p /opt/uwsgi-autopilot \
 && PYTHONPATH=/ours /venv/bin/python3 -m uwsgi_autopilot.bundle /opt/uwsgi-autopilot/agent.pyz \
 && chmod 0644 /opt/uwsgi-autopilot/agent.pyz

# Debian without the right to become root: nothing in these images has a reason to.
FROM ${PYTHON_IMAGE} AS base
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +

FROM base AS operator
COPY --from=operator-packages /venv /venv
COPY --from=operator-build /ours /ours
# What the init container `agent` of each pod copies: one file, standard library only, for the application's own Python.
COPY --from=operator-build /opt/uwsgi-autopilot /opt/uwsgi-autopilot
ENV PATH=/ours/bin:/venv/bin:$PATH PYTHONPATH=/ours PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, because runAsNonRoot cannot check a name; an entry in passwd, because its group is root otherwise.
RUN groupadd --gid 10000 autopilot && useradd --uid 10000 --gid autopilot --no-create-home --shell /usr/sbin/nologin autopilot
USER 10000:10000
ENTRYPOINT ["uwsgi-autopilot"]
CMD ["--help"]

FROM ${PYTHON_IMAGE} AS app-build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY app/requirements.txt constraints.txt ./
# uwsgi comes as source and is compiled here; the compiler stays behind in this stage.
RUN python3 -m venv --without-pip /venv \
 && pip --python /venv/bin/python3 install --no-cache-dir --disable-pip-version-check \
      --constraint constraints.txt --requirement requirements.txt

FROM base AS app
COPY --from=app-build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 app && useradd --uid 10001 --gid app --no-create-home --shell /usr/sbin/nologin app
WORKDIR /app
COPY app/wsgi.py app/http.ini app/app.ini ./
USER 10001:10001
EXPOSE 8080
# On Kubernetes the autopilot starts uWSGI itself. This is for `docker run -p 8080:8080`, without nginx.
CMD ["uwsgi", "http.ini"]

# The command in the application's own environment: what it imports first, then the code that changes.
FROM app-build AS compose-build
COPY pyproject.toml README.md LICENSE ./
RUN mkdir -p operator/uwsgi_autopilot && touch operator/uwsgi_autopilot/__init__.py \
 && pip --python /venv/bin/python3 install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .
COPY operator operator
RUN PIP_CONSTRAINT=/src/constraints.txt pip --python /venv/bin/python3 install --no-cache-dir \
      --disable-pip-version-check --no-deps --force-reinstall .

FROM app AS compose
COPY --from=compose-build /venv /venv
USER 0
# A new volume that is mounted here gets this owner.
RUN install -d -o app -g app /run/app
COPY app/compose.ini ./
USER 10001:10001
CMD ["uwsgi-autopilot", "serve", "compose.ini"]
