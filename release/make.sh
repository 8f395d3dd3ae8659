#!/bin/sh
# release/make.sh VERSION [KEY]: dates the changelog, writes the version wherever it stands, commits, tags, builds into dist/,
# and signs the checksums with your key (the kit's own where none is named). Nothing leaves this machine: push the tag yourself.
set -eu
cd "$(dirname "$0")/.."
version=${1:-}
key=${2:-${XDG_CONFIG_HOME:-$HOME/.config}/kit/signing_key}

stop() {
    echo "release: $1" >&2
    exit 2
}

echo "$version" | grep -Eq '^[0-9]+\.[0-9]+\.[0-9]+$' || stop "name a version such as 0.1.0: release/make.sh VERSION [KEY]"
[ -z "$(git status --porcelain)" ] || stop "there are changes that are not committed: git status"
! git rev-parse --quiet --verify "refs/tags/v$version" >/dev/null || stop "there is a tag v$version already"
grep -q "^## $version (unreleased)$" CHANGELOG.md || stop "CHANGELOG.md has no section '## $version (unreleased)'"
[ -f "$key" ] || stop "$key: there is no such key; kit keygen makes one"
command -v ssh-keygen >/dev/null || stop "ssh-keygen is needed to sign: apt-get install openssh-client"

sed -i "s/^## $version (unreleased)$/## $version ($(date -u +%F))/" CHANGELOG.md
sed -i "s/^__version__ = .*/__version__ = \"$version\"/" kit/__init__.py
sed -i "s/^ARG VERSION=.*/ARG VERSION=$version/" Dockerfile
sed -i "s/^version: .*/version: $version/" CITATION.cff
git commit --quiet --all --message "Release $version"
git tag --annotate "v$version" --message "kit $version"
release/build.sh
ssh-keygen -q -Y sign -f "$key" -n kit-release dist/SHA256SUMS
cat <<EOF
release: $version is tagged and built; dist/SHA256SUMS.sig is signed with $key
next: git push origin HEAD "v$version", and, once the workflow has published it, gh release upload "v$version" dist/SHA256SUMS dist/SHA256SUMS.sig
the image: docker build --build-arg VERSION=$version --build-arg REVISION=$(git rev-parse HEAD) --tag kit:$version .
EOF
