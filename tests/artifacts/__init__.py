"""Artifacts: what is special to files, how payloads become bytes, how both leave the loop free."""
