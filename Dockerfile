# One image for every process: `gateway`, `services.<name> serve|work|migrate`, `guildhall migrate`;
# and for the worker of runs (`--target worker`) the same with a browser.
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/guildhall
COPY requirements/image.txt requirements/image.txt
RUN python -m pip --python /opt/guildhall/bin/python install \
      --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/image.txt
COPY gateway /app/gateway
COPY services /app/services
COPY shared /app/shared
COPY guildhall /app/guildhall
# Compiled here, because the running container may not write; unchecked, because nothing changes.
RUN /opt/guildhall/bin/python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.13-slim AS guildhall
LABEL org.opencontainers.image.title="Guildhall" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 guildhall \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
      --shell /usr/sbin/nologin guildhall \
 && install -d -o guildhall -g guildhall -m 0750 /var/lib/guildhall
COPY --from=build /opt/guildhall /opt/guildhall
COPY --from=build /app /app
ENV PATH=/opt/guildhall/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GUILDHALL_PROFILE=production \
    GUILDHALL_HOST=0.0.0.0 \
    GUILDHALL_DATA_DIR=/var/lib/guildhall
WORKDIR /app
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["python", "-m"]
CMD ["gateway"]

FROM guildhall AS worker
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends chromium fonts-liberation fonts-noto-color-emoji \
 && rm -rf /var/lib/apt/lists/*
USER 10001:10001
CMD ["services.runs", "work"]

# Last, because it is what is built where no target is named.
FROM guildhall
