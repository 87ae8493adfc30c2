# The admin UI. NPM_CONFIG_REGISTRY, GOPROXY and ALPINE_MIRROR say where npm, Go and Alpine fetch from, for builds that
# cannot reach the usual places.
FROM node:22-alpine AS ui
ARG NPM_CONFIG_REGISTRY
WORKDIR /src/webui
COPY webui/package.json webui/package-lock.json webui/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY webui/ ./
RUN npm run build

# The program
FROM golang:1.26-alpine AS build
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=ui /src/webui/dist ./webui/dist
# Behind the steps that do not depend on them.
ARG VERSION=devel
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /out/wxsteward ./cmd/wxsteward

# WeChat Cloud Run needs sh and ca-certificates in the image, and start.sh in the work folder. There is no PostgreSQL in
# it: set DATABASE_URL and MASTER_KEY.
FROM alpine:3.22
ARG ALPINE_MIRROR=dl-cdn.alpinelinux.org
# No versions of packages: a release of Alpine gets fixes only and does not keep what they replace.
# hadolint ignore=DL3018
RUN sed -i "s/dl-cdn.alpinelinux.org/${ALPINE_MIRROR}/" /etc/apk/repositories \
	&& apk add --no-cache ca-certificates tzdata \
	&& adduser -D -H -u 10001 wxsteward \
	&& mkdir -p /app/data \
	&& chown wxsteward /app/data
WORKDIR /app
COPY start.sh ./
COPY --from=build /out/wxsteward ./
# An ordinary user may then listen on port 80.
# hadolint ignore=DL3018
RUN apk add --no-cache --virtual .setcap libcap \
	&& setcap cap_net_bind_service=+ep wxsteward \
	&& apk del .setcap
# With the program on PATH, `wxsteward passwd` and the like need no path in a running container.
ENV LISTEN_ADDR=:80 DATA_DIR=/app/data PATH=/app:$PATH
EXPOSE 80
USER wxsteward
ENTRYPOINT ["/app/start.sh"]
