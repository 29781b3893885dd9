# syntax=docker/dockerfile:1
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd cmd
COPY docs docs
COPY internal internal
ARG VERSION=unknown
ARG REVISION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath \
      -ldflags "-s -w -X github.com/prometheus/common/version.Version=${VERSION} -X github.com/prometheus/common/version.Revision=${REVISION}" \
      -o /traffic_exporter ./cmd/traffic_exporter

# No shell, no package manager; certificate authorities and a non-root user only.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /traffic_exporter /bin/traffic_exporter
COPY config.example.yaml /etc/traffic_exporter/config.yaml
USER 65532:65532
EXPOSE 9870 7946
ENTRYPOINT ["/bin/traffic_exporter"]
CMD ["--config.file=/etc/traffic_exporter/config.yaml"]
