"""Image encoders as ONNX files, run without the library that made them.

`preprocessor_config.json` says how an image becomes what the network takes, in the keys of transformers. It is judged
when the folder is copied; what came of it, and of the network's own axes, is kept beside the network.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from releve.adapters.vectors.encoder_folder import network_file, open_network, read_config, try_network
from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.domain.neighbours.text_vectors import unit_length
from releve.domain.schema.images import encoder_pixels

NETWORK, READING = "image.onnx", "image_reading.json"  # as copied
CONFIG = "preprocessor_config.json"
EMBEDDINGS = ("image_embeds", "pooler_output")  # what exporters call the vector of an image
BILINEAR = 2  # as Pillow, and so transformers, numbers its filters
MODES = {1: "grey", 3: "rgb"}  # by the number of channels

Side = Annotated[int, Field(ge=1, le=1024)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Channels = Annotated[tuple[Finite, ...], Field(min_length=1, max_length=3)]


class ImageReading(DocumentPart):
    """How an image is read: brought to the size `whole`, of which the middle part of the size `part` is taken."""

    whole: tuple[Side, Side] | Side  # width and height; or the shorter side, which keeps the image's proportions
    part: tuple[Side, Side]
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels_first: bool
    output: str


@dataclass(frozen=True)
class ImageModel:
    """An image encoder in a folder, under the names it is copied by."""

    folder: Path

    @cached_property
    def version(self) -> str:
        """sha256 over the network and how images are read."""
        parts = (hashlib.sha256((self.folder / name).read_bytes()).digest() for name in (NETWORK, READING))
        return hashlib.sha256(b"".join(parts)).hexdigest()

    @cached_property
    def dimension(self) -> int:
        """Length of a vector."""
        width, height = self._reading.part
        return len(self._run(np.zeros((height, width, len(self._reading.mean)), dtype=np.float32)))

    def encode(self, cells: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (images, dimension); zeros for a missing image.

        One at a time: sums in a batch may be ordered by its size, and the same image is the same vector here.
        """
        vectors = np.zeros((len(cells), self.dimension), dtype=np.float32)
        for vector, cell in zip(vectors, cells, strict=True):
            if cell:
                vector[:] = self._run(self._read(cell))
        return unit_length(vectors)

    def _read(self, cell: str) -> NDArray[np.float32]:
        reading = self._reading
        mode = MODES[len(reading.mean)]
        seen = encoder_pixels(cell, whole=reading.whole, part=reading.part, mode=mode, resample=reading.resample)
        scaled = seen.reshape(*seen.shape[:2], -1) * reading.scale
        return np.asarray((scaled - reading.mean) / reading.std, dtype=np.float32)

    def _run(self, image: NDArray[np.float32]) -> NDArray[Any]:
        """The vector of an image (height, width, channels), before it is scaled."""
        [name] = [each.name for each in self._session.get_inputs()]
        turned = image.transpose(2, 0, 1) if self._reading.channels_first else image
        found: NDArray[Any] = self._session.run([self._reading.output], {name: np.ascontiguousarray(turned[None])})[0]
        return np.asarray(found[0] if found.ndim == 2 else found[0].mean(axis=0))

    @cached_property
    def _reading(self) -> ImageReading:
        return ImageReading.model_validate_json((self.folder / READING).read_bytes())

    @cached_property
    def _session(self) -> Any:
        return open_network((self.folder / NETWORK).read_bytes())


def import_image_model(source: Path) -> dict[str, bytes]:
    """What to copy of a folder with an ONNX file and a preprocessor_config.json, by the name it is copied to.

    Raise BadInput naming what is missing or of a kind that is not run here.
    """
    network = network_file(source)
    reading = _judge_config(source / CONFIG, _judge_network(network))
    return {NETWORK: network.read_bytes(), READING: reading.model_dump_json().encode()}


class _Size(BaseModel):
    height: Side | None = None
    width: Side | None = None
    shortest_edge: Side | None = None


class _Config(BaseModel):
    """What is read of preprocessor_config.json; other keys are left alone."""

    do_resize: Literal[True] = True
    size: Side | _Size
    resample: Annotated[int, Field(ge=0, le=5)] = BILINEAR
    do_center_crop: bool = True  # where there is a crop_size
    crop_size: Side | _Size | None = None
    do_rescale: bool = True
    rescale_factor: Finite = 1 / 255
    do_normalize: bool = True
    image_mean: Channels
    image_std: Channels
    data_format: Literal["channels_first", "channels_last"] | None = None


@dataclass(frozen=True)
class _Network:
    path: Path
    axes: tuple[int | None, ...]  # of its input; None where any number fits
    output: str


def _judge_network(path: Path) -> _Network:
    """Judge what the network takes and gives."""
    session = try_network(path)
    inputs = session.get_inputs()
    if [(len(each.shape), each.type) for each in inputs] != [(4, "tensor(float)")]:
        found = ", ".join(f"{each.name} ({each.type}, {len(each.shape)} axes)" for each in inputs)
        raise BadInput(
            f"{path} takes {found}; expected one tensor(float) of four axes: images, channels, height and width, or "
            "images, height, width and channels"
        )
    ranks = {each.name: len(each.shape) for each in session.get_outputs()}
    vectors = sorted((name for name in ranks if ranks[name] == 2), key=lambda name: name not in EMBEDDINGS)
    tokens = [name for name in ranks if ranks[name] == 3]
    if not (vectors or tokens):
        found = ", ".join(f"{name} ({rank} axes)" for name, rank in ranks.items())
        raise BadInput(
            f"{path} gives {found}; expected an output of two axes (images, numbers), or of three, whose second is "
            "averaged: export it with its pooling"
        )
    axes = tuple(each if isinstance(each, int) else None for each in inputs[0].shape)
    return _Network(path, axes, (vectors or tokens)[0])


def _judge_config(path: Path, network: _Network) -> ImageReading:
    """Judge what a preprocessor_config.json says beside what the network takes."""
    config: _Config = read_config(path, _Config)
    channels = len(config.image_mean)
    if channels not in MODES or len(config.image_std) != channels or not all(config.image_std):
        raise BadInput(f"{path} cannot be used: image_mean and image_std are one number of grey, or three of RGB")
    channels_first = config.data_format != "channels_last"
    if config.data_format is None and network.axes[1] not in (None, channels):
        channels_first = False
    whole, part = _sizes(path, config)
    width, height = part
    given = (1, channels, height, width) if channels_first else (1, height, width, channels)
    if any(axis not in (None, number) for axis, number in zip(network.axes, given, strict=True)):
        takes, gets = (
            " x ".join("any" if each is None else str(each) for each in axes) for axes in (network.axes, given)
        )
        raise BadInput(
            f"{network.path} takes {takes}, and {path.name} makes {gets} of an image; change the one that is wrong"
        )
    return ImageReading(
        whole=whole,
        part=part,
        resample=config.resample,
        scale=config.rescale_factor if config.do_rescale else 1.0,
        mean=config.image_mean if config.do_normalize else (0.0,) * channels,
        std=config.image_std if config.do_normalize else (1.0,) * channels,
        channels_first=channels_first,
        output=network.output,
    )


def _sizes(path: Path, config: _Config) -> tuple[tuple[int, int] | int, tuple[int, int]]:
    """To which size images are brought, and the size of the middle part that is taken."""
    size, crop = config.size, config.crop_size if config.do_center_crop else None
    part = _pair(size if crop is None else crop)
    whole: tuple[int, int] | int | None = part
    if crop is not None:
        whole = size if isinstance(size, int) else size.shortest_edge or _pair(size)
    if whole is None or part is None:
        raise BadInput(f"{path} cannot be used: size needs height and width, or shortest_edge with a crop_size of both")
    width, height = (whole, whole) if isinstance(whole, int) else whole
    if part[0] > width or part[1] > height:
        raise BadInput(f"{path} cannot be used: crop_size is larger than size")
    return whole, part


def _pair(size: int | _Size) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    return (size.width, size.height) if size.width and size.height else None
