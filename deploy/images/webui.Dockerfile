# The page behind nginx, which passes /api and /upload on to the services.
#   docker build -f deploy/images/webui.Dockerfile -t imagomortis-webui:0.1.0 .

FROM docker.io/library/node:22-bookworm-slim AS build
WORKDIR /build
COPY webui/package.json webui/package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY webui ./
RUN npm run --silent build

FROM docker.io/nginxinc/nginx-unprivileged:1.28-bookworm
COPY deploy/images/nginx.conf /etc/nginx/nginx.conf
COPY deploy/images/page-headers.conf /etc/nginx/page-headers.conf
COPY deploy/images/error-log.sed /etc/nginx/error-log.sed
COPY --from=build /build/dist /usr/share/nginx/html
# any user may run it: it writes to /tmp alone
USER 10001:10001
EXPOSE 8080
# Kubernetes asks /healthz by itself
HEALTHCHECK NONE
# nginx has JSON for requests alone; its errors become JSON on their way out
ENTRYPOINT ["bash", "-c", "exec nginx -g 'daemon off;' 2> >(exec sed -u -E -f /etc/nginx/error-log.sed)"]
# last: what comes after it is built anew for each version
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="ImagoMortis web UI" \
      org.opencontainers.image.description="The page of ImagoMortis, a picture-processing pipeline" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0"
