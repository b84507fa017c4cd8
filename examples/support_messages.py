"""Messages to a shop, each about one of three things: a column of texts to try.

python -m examples.support_messages var/messages.csv
make scenario NAME=support DATA=var/messages.csv TARGET=about SET=neighbours.model=/path/to/a/model2vec/folder
"""

import csv
import sys
from itertools import product
from pathlib import Path

import numpy as np

ABOUT = {
    "delivery": ("my parcel", "the package", "the courier", "my shipment"),
    "payment": ("the invoice", "my credit card", "the refund", "the price"),
    "account": ("my password", "the login page", "my profile", "the email address"),
}
SAID = (
    "{} is wrong, please help me today",
    "I have waited for a week because of {}",
    "can somebody look at {} for me",
    "there is a problem with {} since yesterday",
    "thank you, {} is fine now",
    "who do I have to ask about {}",
)
GREETINGS = ("hello,", "good morning,", "dear team,", "hi there,", "again:")
SEED = 7


def write_messages(path: Path) -> Path:
    """Write every message once, in an order of chance that is always the same; return the table's path."""
    rows = [
        (f"{greeting} {said.format(thing)}", about)
        for about, things in ABOUT.items()
        for greeting, said, thing in product(GREETINGS, SAID, things)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["message", "about"])
        table.writerows(rows[place] for place in np.random.default_rng(SEED).permutation(len(rows)))
    return path


if __name__ == "__main__":
    print(write_messages(Path(sys.argv[1])))
