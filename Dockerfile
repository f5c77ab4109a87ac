# The image of AuthShield: one program, the libraries it is linked with, root certificates. No shell.
#
#     docker build -t authshield .

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package authshield --bin authshield \
    && deploy/image/rootfs.sh target/dist/authshield /rootfs

FROM scratch
COPY --from=build /rootfs /
COPY --from=build --chown=65532:65532 /rootfs/var/lib/authshield /var/lib/authshield
USER 65532:65532
WORKDIR /var/lib/authshield
ENV AUTHSHIELD_ENVIRONMENT=production \
    AUTHSHIELD_LISTEN=0.0.0.0:8080 \
    AUTHSHIELD_ADMIN_LISTEN=0.0.0.0:9090 \
    AUTHSHIELD_DATA_DIR=/var/lib/authshield
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/authshield", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/authshield"]
CMD ["serve"]
