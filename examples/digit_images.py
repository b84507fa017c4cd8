"""Handwritten digits as PNG files, and a table that names them: a column of images to try.

python -m examples.digit_images var/digit-images
make scenario NAME=digit-images DATA=var/digit-images/digits.csv TARGET=digit
"""

import csv
import sys
from pathlib import Path

import numpy as np

LIGHTEST = 16  # of the pixels in scikit-learn's table


def write_digits(folder: Path, *, rows: int | None = None) -> Path:
    """Write the first `rows` digits, 8 x 8 pixels each, and the table, in the order of the writers; return its path."""
    from PIL import Image
    from sklearn.datasets import load_digits

    images, digits = (part[:rows] for part in (load_digits().images, load_digits().target))
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "digits.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "digit"])
        for number, (pixels, digit) in enumerate(zip(images, digits, strict=True)):
            name = f"images/{number:04d}.png"
            Image.fromarray(np.round(pixels * 255 / LIGHTEST).astype(np.uint8)).save(folder / name)
            table.writerow([name, digit])
    return folder / "digits.csv"


if __name__ == "__main__":
    print(write_digits(Path(sys.argv[1])))
