# The kit in a container: docker build -t kit .
# BASE swaps the base, LOCK the packages: cuda, or cpu (docs/image.md says which base goes with it).
# Only what every builder knows is used: BuildKit, the old one, buildah, kaniko.
ARG BASE=nvidia/cuda:13.0.2-devel-ubuntu24.04@sha256:5dc1bca23d05bd37b011be68ec470c03b403a5da07ec3a86e41af9470e9d0cc6

# Scripts and lists with the time that every file here gets, whenever this checkout was made.
FROM ${BASE} AS scripts
ARG SOURCE_DATE_EPOCH=0
COPY locks/system.sh locks/system.*.txt locks/repeatable.sh /tree/usr/local/share/kit/
RUN /tree/usr/local/share/kit/repeatable.sh /tree

FROM ${BASE} AS system
ARG SOURCE_DATE_EPOCH=0
COPY --from=scripts /tree /
RUN /usr/local/share/kit/system.sh

FROM system AS packages
ARG BASE
ARG LOCK=cuda
ARG SOURCE_DATE_EPOCH=0
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_COMPILE_BYTECODE=1
COPY locks /build/locks
COPY kit/spec/environment/system.py /build/kit/spec/environment/
# /tree holds the same files again, as links: a tree that is laid over the root brings the times of its folders along.
RUN /build/locks/packages.sh "$LOCK" /opt/kit && \
    /build/locks/contents.sh "$BASE" "$LOCK" >/opt/kit/share/kit/image.json && \
    /build/locks/sbom.sh /opt/kit/share/kit/lock.txt >/opt/kit/share/kit/sbom.cdx.json && \
    mkdir /tree && cp --archive --link /opt /tree/opt && \
    /build/locks/repeatable.sh /tree

# What an edit of the code changes, and nothing else, as the tree that is laid over the packages.
FROM packages AS code
ARG SOURCE_DATE_EPOCH=0
COPY LICENSE README.md pyproject.toml /build/
COPY schemas /build/schemas
COPY kit /build/kit
COPY manifests/quickstart.json /code/workspace/manifest.json
COPY manifests/toy /code/workspace/toy
RUN /build/.venv/installer/bin/uv pip install --quiet --python /opt/kit/bin/python --prefix /code/opt/kit \
        --no-deps --no-build-isolation /build && \
    mkdir -p /code/cache && /build/locks/repeatable.sh /code && \
    chmod 1777 /code/cache /code/workspace

FROM system
ARG BASE
ARG LOCK=cuda
ARG REVISION
ARG VERSION=0.1.0
COPY --from=packages /tree /
COPY --from=code /code /
# Any user may run it, known to /etc/passwd or not; nothing but /tmp and the mounts has to be writable.
ENV PATH=/opt/kit/bin:$PATH \
    LANG=C.UTF-8 \
    HOME=/tmp USER=kit LOGNAME=kit \
    HF_HOME=/cache/huggingface \
    PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="kit" \
    org.opencontainers.image.description="A reproducibility kit for safety evaluation of fine-tuned language models" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.base.name="$BASE" \
    kit.lock="$LOCK"
WORKDIR /workspace
USER 10001:10001
ENTRYPOINT ["kit"]
CMD ["--help"]
