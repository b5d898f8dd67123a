#!/bin/sh
# docker compose v2 where it is missing: as root, from the distribution or Docker's repository, else built with Go.
# Usage: compose-tools.sh [DIRECTORY for the plugin that Go builds]
set -eu
version=v2.40.3
plugins=${1:-/usr/local/lib/docker/cli-plugins}
if [ $# -eq 0 ]; then
    docker compose version >/dev/null 2>&1 && exit 0
    apt-get update -q >/dev/null || true
    # Docker's own packages, then Ubuntu's name. Debian 12's docker-compose is v1, which is not enough.
    for package in docker-compose-plugin docker-compose-v2; do
        apt-get install -y -q "$package" >/dev/null 2>&1 && docker compose version && exit 0
    done
fi
command -v go >/dev/null || { echo "compose-tools: neither apt nor Go has docker compose v2: https://docs.docker.com/compose/install/"; exit 1; }
echo "compose-tools: building docker compose $version (some minutes)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
go mod init compose-tools
go get "github.com/docker/compose/v2/cmd@$version"
CGO_ENABLED=0 go build -o docker-compose -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$version" \
    github.com/docker/compose/v2/cmd
install -D -m 755 docker-compose "$plugins/docker-compose"
