"""Documents on disk and in the registry: typed, frozen, with nothing in them that their class does not name."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from releve.core.errors import BadInput

D = TypeVar("D", bound=BaseModel)


class DocumentPart(BaseModel):
    """Base of documents and of their parts."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def parse_document(text: str, model: type[D], *, source: str) -> D:
    """Read a document from JSON. Raises BadInput naming the key of `source` that is missing, unknown or wrong."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "it"
        raise BadInput(
            f"{source}: {key}: {first['msg'][0].lower()}{first['msg'][1:]}; make it again with this version of Relève"
        ) from None
