"""
The text engine of the example pipeline: strings out of Python sources, into two pseudo-locales.

Pure functions over frozen models. Nothing here knows of runs, events or artifacts: the pipeline in
`docs/examples/localize.py` calls these functions and journals what they return.

Reading order, which is also the order of the pipeline's phases:

    models     what passes between the phases
    grammar    placeholders and escapes of three formatting styles, to the letter
    protect    names, code, addresses and options that no translator may touch
    messages   a syntax-tree expression -> the text a person would read
    paragraphs a docstring -> its paragraphs, code told from prose
    extract    ingest: a folder of Python sources -> source strings
    terms      context: what recurs in several modules
    memory     pretranslation: each text once, with its untouchable spans
    pseudo     translate: a naive pass and a careful one, for an accented and a mirrored locale
    qa         qa: what the naive pass broke;  edit: the careful pass, for exactly that
    export     export: one line per source string
    usage      the words that a step has read and written
"""
