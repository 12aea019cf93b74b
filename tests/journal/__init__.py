"""Run, Phase and Journal as people use them, on both event loops."""
