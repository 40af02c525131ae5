#!/bin/sh
# Puts anvil (a development node of the Foundry project) into build/anvil, for the integration tests of the ledger.
# Needs node and npm; nothing else of the project does.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/anvil
cd build/anvil
npm install --no-save --no-audit --no-fund @foundry-rs/anvil@1.7.1
