#!/bin/sh
# Makes ./network for compose.yaml: validator keys, genesis, static nodes, permissions.
#   ./prepare.sh RELAYER_ADDRESS [RELAYER_ADDRESS…]
# Needs docker and python3. Keys are written to ./network/keys and belong to the validators' operators; keep them apart
# in production: each party makes its own key and hands out only the public one.
set -eu
cd "$(dirname "$0")"
[ $# -ge 1 ] || { echo "usage: $0 RELAYER_ADDRESS [RELAYER_ADDRESS…]" >&2; exit 2; }
[ ! -e network ] || { echo "./network exists already; move it away first" >&2; exit 1; }
image=hyperledger/besu:26.8.0
docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" -w /work "$image" \
    operator generate-blockchain-config --config-file=genesis-input.json --to=network --private-key-file-name=key
python3 - "$@" <<'PY'
import json, pathlib, sys, time

root = pathlib.Path("network")
genesis = json.loads((root / "genesis.json").read_text())
genesis["timestamp"] = hex(int(time.time()))
(root / "genesis.json").write_text(json.dumps(genesis, indent=1))
enodes = []
for number, folder in enumerate(sorted((root / "keys").iterdir()), 1):
    public = (folder / "key.pub").read_text().strip().removeprefix("0x")
    enodes.append(f"enode://{public}@172.30.60.{10 + number}:30303")
    folder.rename(root / "keys" / f"node{number}")
(root / "static-nodes.json").write_text(json.dumps(enodes, indent=1))
lines = [f"nodes-allowlist={json.dumps(enodes)}", f"accounts-allowlist={json.dumps(sys.argv[1:])}"]
(root / "permissions.toml").write_text("\n".join(lines) + "\n")
PY
echo "made ./network for $(ls network/keys | wc -l) validators; next: docker compose up -d"
