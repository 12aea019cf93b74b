"""The example pipeline's text engine, on small real sources and on any text at all."""
