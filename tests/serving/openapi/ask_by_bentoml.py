"""Run by itself, as its classes warn: asks the flowers at an address by BentoML's client, and prints the answers."""

import json
import sys

import bentoml

with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    row = {"length": 1.0, "width": 2.5, "weight": 1.0, "colour": "red"}
    predicted = client.predict(rows=[row])
    answers = {
        "predict": predicted,
        "search": client.search(row=row, limit=2),
        "feedback": client.feedback(labels=[{"id": predicted["predictions"][0]["id"], "label": 0}]),
        "status": client.status(),
    }
    try:
        client.predict(rows=[{"length": 1.0}])
    except bentoml.exceptions.BentoMLException as error:
        answers["error"] = str(error)
print(json.dumps(answers))
