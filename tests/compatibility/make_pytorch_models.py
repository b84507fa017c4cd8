"""Run by an environment that has torch: fits small networks on a table, and writes models into a folder."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

folder = Path(sys.argv[1])
table = json.loads((folder / "table.json").read_text())
features = torch.tensor(np.array(table["features"], dtype=np.float32))
middle, spread = features.nanmean(0), torch.tensor(np.nanstd(features.numpy(), axis=0))


class Network(nn.Module):
    """Two layers over scaled numbers."""

    def __init__(self, outputs: int, end: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features.shape[1], 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, outputs)
        )
        self.end = end
        self.register_buffer("middle", middle)
        self.register_buffer("spread", spread)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.end(self.layers((rows - self.middle) / self.spread))


class Squeezed(nn.Module):
    """(rows, 1) as (rows,)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.squeeze(1)


def fitted(model: nn.Module, loss: nn.Module, labels: torch.Tensor) -> nn.Module:
    torch.manual_seed(7)
    steps = torch.optim.Adam(model.parameters(), lr=0.02)
    filled = torch.where(features.isnan(), middle, features)
    for _ in range(150):
        steps.zero_grad()
        loss(model(filled), labels).backward()
        steps.step()
    return model.eval()


torch.manual_seed(7)
places = {label: place for place, label in enumerate(table["classes"])}
texts = torch.tensor([places[label] for label in table["texts"]])
models = {
    "logits": fitted(Network(2, nn.Identity()), nn.CrossEntropyLoss(), texts),
    "sigmoid": fitted(Network(1, nn.Sigmoid()), nn.BCELoss(), texts.float()[:, None]),
    "three": fitted(Network(3, nn.Identity()), nn.CrossEntropyLoss(), torch.tensor(table["three"])),
    "value": fitted(Network(1, Squeezed()), nn.MSELoss(), torch.tensor(table["value"])),
}
answers, exporters = {}, {}
filled = torch.where(features.isnan(), torch.zeros(()), features)
for name, model in models.items():
    for exporter, options in {
        "script": {"dynamo": False, "input_names": ["rows"], "dynamic_axes": {"rows": {0: "rows"}}},
        "dynamo": {"dynamo": True, "input_names": ["rows"], "dynamic_shapes": ({0: torch.export.Dim("n")},)},
    }.items():
        path = folder / f"{name}-{exporter}.onnx"
        torch.onnx.export(model, (filled[:5],), str(path), external_data=False, **options)
        exporters[f"{name}-{exporter}"] = name
    with torch.no_grad():
        answers[name] = model(filled).reshape(len(filled), -1).tolist()
# What people forget: a batch of one is what the file then answers.
torch.onnx.export(models["logits"], (filled[:1],), str(folder / "one.onnx"), dynamo=False, input_names=["rows"])
versions = {name: version(name) for name in ("torch", "onnxscript", "onnx")}
print(json.dumps({"answers": answers, "exporters": exporters, "versions": versions}))
