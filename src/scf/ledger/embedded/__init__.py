"""The embedded engine: py-evm driven directly, everything in one SQLite file, one SQL transaction a block."""
