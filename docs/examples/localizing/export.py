"""
Export: the source strings of a run, each with its translation, in the order of the sources.

Below: models, memory. Above: the pipeline's export phase, which stores the lines as JSONL.
"""

from collections.abc import Iterable, Iterator

from localizing.memory import unit_key
from localizing.models import ExportLine, SourceString, Translation


def export_lines(
    strings: Iterable[SourceString], translations: Iterable[Translation]
) -> Iterator[ExportLine]:
    """
    One line per string. `translations` are those of one language.

    Raises KeyError if a string's text was never translated: a gap is no delivery.
    """
    by_key = {translation.key: translation for translation in translations}
    seen: set[str] = set()
    for string in strings:
        key = unit_key(string.style, string.text)
        translation = by_key[key]
        yield ExportLine(
            id=string.id,
            module=string.module,
            line=string.line,
            source=string.text,
            target=translation.target,
            status=translation.status,
            reused=key in seen,
        )
        seen.add(key)
