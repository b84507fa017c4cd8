"""Run by an environment that has lightgbm and onnxmltools: fits on a table, and writes models into a folder."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxmltools
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools.convert.common.data_types import FloatTensorType

folder = Path(sys.argv[1])
table = json.loads((folder / "table.json").read_text())
features = np.array(table["features"], dtype=np.float32)
targets = {
    "texts": (LGBMClassifier, np.array(table["texts"])),  # labels as texts: the probabilities as a map of each row
    "three": (LGBMClassifier, np.array(table["three"])),
    "tensor": (LGBMClassifier, np.array(table["texts"])),  # the same as a tensor
    "value": (LGBMRegressor, np.array(table["value"])),
}
answers = {}
for name, (kind, labels) in targets.items():
    model = kind(n_estimators=30, num_leaves=7, random_state=7, verbose=-1).fit(features, labels)
    made = onnxmltools.convert_lightgbm(
        model, initial_types=[("rows", FloatTensorType([None, features.shape[1]]))], zipmap=name != "tensor"
    )
    (folder / f"{name}.onnx").write_bytes(made.SerializeToString())
    found = model.predict(features) if kind is LGBMRegressor else model.predict_proba(features)
    answers[name] = np.asarray(found).reshape(len(features), -1).tolist()
versions = {name: version(name) for name in ("lightgbm", "onnxmltools", "onnx")}
print(json.dumps({"answers": answers, "versions": versions}))
