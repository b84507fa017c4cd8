"""Images that a table names by their paths, read so that its rows hold them whole."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.domain.schema.cells import format_value, trimmed
from releve.domain.schema.columns import IMAGE
from releve.domain.schema.images import UnreadImage, as_text, is_image_text
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import with_columns

if TYPE_CHECKING:
    import pandas as pd


def read_images(frame: "pd.DataFrame", schema: Schema, folder: Path) -> "pd.DataFrame":
    """Put files in the place of their paths, which are relative to `folder`; `frame` is not changed.

    A path that leads to no file, or out of the folder, becomes an `UnreadImage`; bytes become base64, and base64
    stays as it is. Whether a file holds an image is the schema's to judge.
    """
    import pandas as pd

    columns = [column for column in schema.columns if column.type == IMAGE and column.name in frame]
    if not columns:
        return frame
    root = folder.resolve()

    def read(cell: Any, max_bytes: int) -> Any:
        if isinstance(cell, bytes):
            return as_text(cell)
        path = trimmed(cell) if isinstance(cell, str) else ""  # an empty text is a missing cell
        return cell if not path or is_image_text(path) else _read(root, path, max_bytes)

    images = {
        column.name: pd.Series(
            [read(cell, column.max_bytes) for cell in frame[column.name]], index=frame.index, dtype=object
        )
        for column in columns
    }
    return with_columns(frame, images)


def _read(root: Path, path: str, max_bytes: int) -> str | UnreadImage:
    named = f"is {format_value(path)}"
    try:
        file = (root / path).resolve()
        if not file.is_relative_to(root):
            return UnreadImage(path, f"{named}, which leaves the folder of the images, {root} (ingest.images)")
        if not file.is_file():
            return UnreadImage(path, f"{named}, and there is no such file in {root} (ingest.images)")
        if (size := file.stat().st_size) > max_bytes:
            return UnreadImage(path, f"{named}, a file of {size:,} bytes, expected at most {max_bytes:,} (max_bytes)")
        content = file.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:  # a null byte, a loop of links
        return UnreadImage(path, f"{named}, which cannot be read: {error}")
    if not is_image_text(text := as_text(content)):
        return UnreadImage(path, f"{named}, which is no PNG or JPEG file")
    return text
