"""
``-p K=V``: words from the command line, as the pipeline's own model reads them.

Below: nothing. Above: run.
"""

import json
from typing import Any

import click
from pydantic import BaseModel, ValidationError

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


def read(model: type[BaseModel] | None, given: dict[str, str]) -> BaseModel | None:
    """
    The pipeline's parameters; texts become numbers, dates, booleans as the model says.

    A value that the model does not take as text is read as JSON, if it is a list or an object.
    Raises ``click.BadParameter`` that names each wrong one, and each that is not known.
    """
    if model is None:
        if given:
            raise click.BadParameter("this pipeline takes no parameters.", param_hint="-p")
        return None
    _refuse_unknown(model, given)
    try:
        return model.model_validate_strings(given)
    except ValidationError as failure:
        wrong = {error["loc"][0] for error in failure.errors() if error["loc"]}
    values = {name: _structure(v) if name in wrong else v for name, v in given.items()}
    try:
        return model.model_validate_strings(values)
    except ValidationError as failure:
        said = [_said(error) for error in failure.errors(include_url=False)]
        raise click.BadParameter("; ".join(said) + ".", param_hint="-p") from failure


def _refuse_unknown(model: type[BaseModel], given: dict[str, str]) -> None:
    if model.model_config.get("extra") == "allow":
        return
    known = {name: field.alias or name for name, field in model.model_fields.items()}
    for name in given:
        if name not in known and name not in known.values():
            there = ", ".join(sorted(known)) or "none"
            raise click.BadParameter(f"{name!r} is not known; there is {there}.", param_hint="-p")


def _structure(text: str) -> Any:
    """A list or an object written as JSON, its leaves as texts again; anything else as it is."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return _leaves_as_text(found) if isinstance(found, list | dict) else text


def _leaves_as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_leaves_as_text(each) for each in value]
    if isinstance(value, dict):
        return {name: _leaves_as_text(each) for name, each in value.items()}
    return value if isinstance(value, str) else json.dumps(value)


def _said(error: Any) -> str:
    place = ".".join(map(str, error["loc"])) or "together"
    return visible(f"{place}: {error['msg']}")
