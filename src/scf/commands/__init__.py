"""Sub-commands of the command line, one module a word; `scf.cli` puts them together."""
