# The service's image: a static binary, CA certificates, and nothing else. Without Docker: deploy/image/build.
FROM rust:1.90-alpine AS build
RUN apk add --no-cache musl-dev gcc make ca-certificates
WORKDIR /src
COPY . .
# Proc macros need a compiler that can load them, so the target is named and what runs here is built as usual.
RUN target="$(uname -m)-unknown-linux-musl" && \
    CARGO_PROFILE_DIST_STRIP=symbols RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --profile dist --target "$target" --bin preview && \
    cp "target/$target/dist/preview" /preview && \
    cargo run --quiet --locked -p sbom -- "$target" >/preview.cdx.json

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /preview /usr/bin/preview
COPY --from=build /preview.cdx.json /usr/share/sbom/preview.cdx.json
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# By number, so that `runAsNonRoot` can be checked. It has no name, no home and no shell.
USER 65532:65532
ENTRYPOINT ["/usr/bin/preview"]
