"""The JSON-RPC engine: any Ethereum node (anvil, geth, Besu) behind the same protocol."""
