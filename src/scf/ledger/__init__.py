"""Floor 2: the ledger — engines, contract handles, signed intents, relayer, event stream.

Importing this room selects the native keccak for every Ethereum library of the process where it is installed:
`eth-hash` would otherwise prefer pycryptodome, which is about six times slower.
"""

import os
from importlib.util import find_spec

if find_spec("_pysha3") is not None and find_spec("sha3") is not None:
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
