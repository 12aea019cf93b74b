"""
``-p K=V``: words from the command line, as the pipeline's own model reads them.

Below: journal, text. Above: run.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

import click
from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo

from journal.parameters import variable_of
from projections.cli.text import visible


def split_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """``K=V`` as a mapping. Raises ``click.BadParameter`` for what is none, or is named twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is no parameter: wanted K=V.", param_hint="-p")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice.", param_hint="-p")
        found[name] = value
    return found


def read(
    model: type[BaseModel] | None,
    given: dict[str, str],
    environment: Mapping[str, str] | None = None,
) -> BaseModel | None:
    """
    The pipeline's parameters; texts become numbers, dates, booleans as the model says.

    A value is a text where the model takes one there, else JSON. A ``SecretStr`` that is not given
    is looked for in the environment, as ``JOURNAL_SECRET_`` and its name. Raises
    ``click.BadParameter`` that names each wrong one, and each that is not known.
    """
    if model is None:
        if given:
            raise click.BadParameter("this pipeline takes no parameters.", param_hint="-p")
        return None
    fields = _by_name(model)
    around = environment or {}
    secret = {
        name: around[variable_of(name)]
        for name, field in fields.items()
        if _is_secret(field.annotation) and variable_of(name) in around
    }
    parts = []
    for name, text in {**secret, **given}.items():
        if name not in fields and model.model_config.get("extra") != "allow":
            there = ", ".join(sorted(fields)) or "none"
            raise click.BadParameter(f"{name!r} is not known; there is {there}.", param_hint="-p")
        value = _as_json(fields[name].annotation, text) if name in fields else json.dumps(text)
        parts.append(f"{json.dumps(name)}:{value}")
    try:
        # As JSON, so that a strict model takes a list for a tuple and a text for a date.
        return model.model_validate_json(f"{{{','.join(parts)}}}")
    except ValidationError as failure:
        said = [_said(error) for error in failure.errors(include_url=False)]
        raise click.BadParameter("; ".join(said) + ".", param_hint="-p") from failure


def _by_name(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields by the names under which the model takes them. It ignores others, silently."""
    config = model.model_config
    also_by_name = config.get("populate_by_name") or config.get("validate_by_name")
    found = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias or field.alias
        if isinstance(alias, str):
            found[alias] = field
        if also_by_name or not isinstance(alias, str):
            found[name] = field
    return found


def _is_secret(annotation: Any) -> bool:
    """Whether it is ``SecretStr`` or ``SecretBytes``, with or without a ``None`` beside it."""
    return annotation in {SecretStr, SecretBytes} or any(map(_is_secret, get_args(annotation)))


def _as_json(annotation: Any, text: str) -> str:
    """The JSON that was meant: ``8`` is a number for an ``int``, and a text for a ``str``."""
    as_text = json.dumps(text)
    try:
        wanted: TypeAdapter[Any] = TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return as_text  # a type that only the model's own validators know
    for meant in (as_text, text):
        try:
            wanted.validate_json(meant, strict=True)
        except ValidationError:
            continue
        return meant
    return text if _is_structure(text) else as_text


def _is_structure(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list | dict)
    except (ValueError, RecursionError):
        return False


def _said(error: Any) -> str:
    place = ".".join(map(str, error["loc"])) or "together"
    return visible(f"{place}: {error['msg']}")
