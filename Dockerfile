# fedilake in a small image. Not built by the tests, which have no Docker engine; checked with hadolint.
FROM node:22-bookworm-slim AS node

FROM rust:1.95-bookworm AS build
# npm brings the DuckDB library.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY . .
# The program looks for libduckdb beside itself.
RUN make build \
    && mkdir /fedilake \
    && strip --strip-debug -o /fedilake/fedilake target/release/fedilake \
    && cp -L duckdb/lib/libduckdb.so /fedilake/

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /data fedilake
COPY --from=build /fedilake /opt/fedilake
USER 10001
WORKDIR /data
VOLUME /data
ENV FEDILAKE_DATA=/data
ENTRYPOINT ["/opt/fedilake/fedilake"]
CMD ["--help"]
