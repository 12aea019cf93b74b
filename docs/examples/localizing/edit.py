"""
Edit: repair what qa found, and leave alone what it did not.

A unit with findings is translated again by the careful pass, which uses the same words; the
unaffected parts of the text therefore read as before.

Below: models, pseudo. Above: the pipeline's edit phase.
"""

from collections.abc import Sequence

from localizing.models import Finding, Translation, Unit
from localizing.pseudo import Locale, careful


def repair(
    unit: Unit, translation: Translation, findings: Sequence[Finding], locale: Locale
) -> Translation:
    """`translation` itself if it has no `findings`, else a repaired one."""
    if not findings:
        return translation
    return careful(unit, locale)
