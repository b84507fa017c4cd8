import numpy as np
import pytest

from releve.adapters.vectors.encoders import import_model, open_image_model
from releve.core.errors import BadInput
from tests.image_models import DIMENSION, make_image_model
from tests.images import png
from tests.spoilt_networks import with_custom_operator, with_nan, with_weights_elsewhere

CHECKED = png(np.indices((8, 8)).sum(axis=0) % 2 * 255)
SHADED = png(np.linspace(0, 255, 64).reshape(8, 8))
COLOURS = {"channels": 3, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}


def opened(source, folder):
    folder.mkdir()
    for name, content in import_model(source).items():
        (folder / name).write_bytes(content)
    return open_image_model(folder)


def coloured(*colours):
    """Four columns of pixels of each colour, four pixels high."""
    return png(np.repeat(np.array([colours]), 4, axis=1).repeat(4, axis=0))


def test_an_image_becomes_a_vector_of_unit_length_and_a_missing_one_of_none(tmp_path):
    model = opened(make_image_model(tmp_path / "source"), tmp_path / "model")

    vectors = model.encode([CHECKED, "", SHADED])

    assert vectors.shape == (3, model.dimension) == (3, DIMENSION)
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1, 0, 1], abs=1e-6)
    assert (vectors[0] == model.encode([CHECKED])[0]).all()


def test_colours_are_scaled_as_the_folder_says(tmp_path):
    """Computed by hand for a network that gives the means of what it is given."""
    config = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 1.0, 2.0]}
    source = make_image_model(tmp_path / "source", channels=3, seed=None, **config)
    plain = make_image_model(tmp_path / "plain", channels=3, seed=None, do_normalize=False, do_rescale=False, **config)
    expected = (np.array([51, 102, 255]) / 255 - [0.1, 0.2, 0.3]) / [0.5, 1.0, 2.0]

    for folder, values in ((source, expected), (plain, np.array([51.0, 102.0, 255.0]))):
        [vector] = opened(folder, tmp_path / f"{folder.name}-model").encode([coloured((51, 102, 255))])
        np.testing.assert_allclose(vector, values / np.linalg.norm(values), atol=1e-6)


@pytest.mark.parametrize(
    "sizes",
    [
        {"size": {"shortest_edge": 4}, "crop_size": {"height": 4, "width": 4}},
        {"size": 4, "crop_size": 4},
        {"size": {"height": 8, "width": 24}, "crop_size": 8},
    ],
)
def test_the_middle_of_an_image_is_taken_where_the_folder_says(sizes, tmp_path):
    red, black = (255, 0, 0), (0, 0, 0)
    model = opened(make_image_model(tmp_path / "source", **COLOURS, resample=0, **sizes), tmp_path / "model")
    middle, whole, other = model.encode([coloured(black, red, black), coloured(red), coloured(black)])

    np.testing.assert_allclose(middle, whole, atol=1e-6)
    assert not np.allclose(middle, other, atol=0.01)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_may_come_first_or_last_and_sizes_may_be_fixed(channels, tmp_path):
    config = {"image_mean": [0.5] * channels, "image_std": [0.25] * channels}
    first, last = (
        opened(make_image_model(tmp_path / name, axes=axes, channels=channels, **config), tmp_path / f"{name}-model")
        for name, axes in (("first", ("images", channels, 8, 8)), ("last", (1, 8, 8, channels)))
    )

    np.testing.assert_allclose(first.encode([CHECKED, SHADED]), last.encode([CHECKED, SHADED]), atol=1e-6)


def test_the_vectors_of_parts_of_an_image_are_averaged(tmp_path):
    parts, pooled = (
        opened(make_image_model(tmp_path / gives, gives=gives), tmp_path / f"{gives}-model")
        for gives in ("parts", "vectors")
    )

    np.testing.assert_allclose(parts.encode([CHECKED, SHADED]), pooled.encode([CHECKED, SHADED]), atol=1e-6)


def test_another_network_or_scale_is_another_version(tmp_path):
    versions = {
        opened(make_image_model(tmp_path / f"s{copy}", **changes), tmp_path / f"m{copy}").version
        for copy, changes in enumerate([{}, {}, {"seed": 8}, {"image_mean": [0.4]}])
    }

    assert len(versions) == 3


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (with_custom_operator, r"model\.onnx cannot be run by ONNX Runtime: .*our\.own"),
        (with_weights_elsewhere, r"model\.onnx cannot be run by ONNX Runtime"),
        (with_nan, "gives vectors that are not finite"),
        (lambda path: (path.parent / "model.onnx_data").touch(), "keeps its weights in a file of their own"),
        (lambda path: (path.parent / "tokenizer.json").touch(), "has both tokenizer.json, .* one of them"),
        (lambda path: (path.parent / "preprocessor_config.json").unlink(), "has no tokenizer.json, .* and no prepro"),
        (lambda path: (path.parent / "preprocessor_config.json").write_text("{"), "cannot be used: Invalid JSON"),
    ],
)
def test_a_folder_that_cannot_be_released_is_refused(spoil, reason, tmp_path):
    source = make_image_model(tmp_path / "source")
    spoil(source / "model.onnx")

    with pytest.raises(BadInput, match=reason):
        import_model(source)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"axes": ("images", "height", "width"), "seed": None},
            r"takes pixels \(tensor\(float\), 3 axes\); expected one tensor\(f",
        ),
        ({"gives": "map"}, r"gives .* \(4 axes\); expected an output of two axes \(images, numbers\), or of three"),
        ({"axes": ("images", 1, 6, 6)}, "takes any x 1 x 6 x 6, and preprocessor_config.json makes 1 x 1 x 8 x 8 of"),
        ({"axes": (4, 1, 8, 8)}, "takes 4 x 1 x 8 x 8, and"),
        ({"size": {"shortest_edge": 8}}, "size needs height and width, or shortest_edge with a crop_size of both"),
        ({"crop_size": 9}, "crop_size is larger than size"),
        ({"size": 9000}, "cannot be used: size.*less than or equal to 1024"),
        ({"image_mean": [0.5, 0.5]}, "image_mean and image_std are one number of grey, or three of RGB"),
        ({"image_std": [0]}, "image_mean and image_std are one number of grey, or three of RGB"),
        ({"image_mean": [float("inf")]}, "cannot be used: image_mean.0: Input should be a finite number"),
        ({"rescale_factor": float("nan")}, "cannot be used: rescale_factor: Input should be a finite number"),
        ({"image_mean": None}, "cannot be used: image_mean: Input should be"),
        ({"do_resize": False}, "cannot be used: do_resize: Input should be True"),
    ],
)
def test_what_does_not_fit_together_is_named(changes, reason, tmp_path):
    with pytest.raises(BadInput, match=reason):
        import_model(make_image_model(tmp_path / "source", **changes))


def test_a_network_of_other_channels_than_the_folder_says_cannot_be_run(tmp_path):
    with pytest.raises(BadInput, match=r"the model in .*source cannot be run: "):
        import_model(make_image_model(tmp_path / "source", **{**COLOURS, "channels": 1}))
