"""The command `journal`: words in, tables and JSON out, exit codes."""
