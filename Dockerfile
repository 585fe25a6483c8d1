# The registry's image: web, worker, beat and migrate are the same image with another command (docker-compose.yml).
# Python 3.11 is what the tests run on.

FROM python:3.11.14-slim-bookworm AS build
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM python:3.11.14-slim-bookworm
# A number that the tmpfs of docker-compose.yml names too.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin registry \
    && install --directory --owner=registry --group=registry --mode=0755 /var/lib/registry
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    REGISTRY_MODE=production \
    REGISTRY_VAR=/var/lib/registry
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/registry
COPY . .
RUN python -m compileall -q .
USER registry
# The static files are made here, so that the container's file system can be read-only. Production settings refuse to
# load without these variables; they end with this line, and the secret is a new one that nobody has seen.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" ALLOWED_HOSTS=localhost \
    DATABASE_URL=postgresql://unused/unused CELERY_BROKER_URL=redis://unused \
    python manage.py build_assets

EXPOSE 8000
ENV WEB_BIND=0.0.0.0:8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; host = os.environ['ALLOWED_HOSTS'].split(',')[0].strip().lstrip('.'); r.urlopen(r.Request('http://127.0.0.1:8000/health/ready/', headers={'Host': host}), timeout=5)"]
CMD ["python", "-m", "prrt_registry.supervisor", "web"]
