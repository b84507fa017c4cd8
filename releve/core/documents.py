"""Documents on disk and in the registry: typed, frozen, with nothing in them that their class does not name."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from releve.core.errors import BadInput
from releve.core.formatting import shortened

D = TypeVar("D", bound=BaseModel)
REPRODUCE = "`dvc repro` in its folder makes it again"
OUR_WORDS = {
    "extra_forbidden": "is not a known key",
    "missing": "is missing",
    "model_type": "is no object",
    "tuple_type": "is no list",
    "list_type": "is no list",
}  # by pydantic's kind of problem
SCALARS = (str, int, float)


class DocumentPart(BaseModel):
    """Base of documents and of their parts."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def parse_document(text: str | bytes, model: type[D], *, source: str, remedy: str = REPRODUCE) -> D:
    """Read a document from JSON. Raises BadInput naming `source`, the key that is wrong, and `remedy`."""
    try:
        document = model.model_validate_json(text.decode() if isinstance(text, bytes) else text)
        key, wrong = _unwritten_key(document), OUR_WORDS["missing"]
        if not key:
            return document
    except UnicodeDecodeError:
        raise BadInput(f"{source} is damaged: it is not UTF-8 text; {remedy}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise BadInput(f"{source} is damaged: it is not whole, or no JSON; {remedy}") from None
        key = ".".join(str(part) for part in first["loc"])
        wrong = OUR_WORDS.get(first["type"], f"is wrong ({first['msg'][0].lower()}{first['msg'][1:]})")
    subject = f"its '{shortened(key)}'" if key else "it"
    raise BadInput(f"{source} is not as this version of Relève writes it: {subject} {wrong}; {remedy}")


def _unwritten_key(value: object) -> str:
    """Find a key that the text did not have: every key is written, and a default is for making documents alone."""
    if isinstance(value, BaseModel):
        parts = [(key, getattr(value, key)) for key in type(value).model_fields]
        if missing := [key for key, _ in parts if key not in value.model_fields_set]:
            return missing[0]
    elif isinstance(value, dict):
        parts = list(value.items())
    else:
        places = enumerate(value) if isinstance(value, tuple | list) else ()
        parts = [(str(place), part) for place, part in places if not isinstance(part, SCALARS)]  # there may be millions
    return next((f"{key}.{inner}" for key, part in parts if (inner := _unwritten_key(part))), "")
