#!/bin/sh
# Builds geth 1.13.15, the last release with Clique (proof of authority), into build/network/bin with Go's own tools.
# The linker flag is needed from Go 1.23 on, whose linker otherwise refuses a dependency of that release.
set -eu
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "Go is not installed: the network is skipped" >&2; exit 3; }
mkdir -p build/network/bin
GOBIN="$PWD/build/network/bin" GOFLAGS=-mod=mod \
    go install -ldflags=-checklinkname=0 github.com/ethereum/go-ethereum/cmd/geth@v1.13.15
build/network/bin/geth version
