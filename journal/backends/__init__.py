"""Where logs are kept: ``memory`` is the model, ``filesystem`` a folder per run."""
