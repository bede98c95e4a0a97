"""Writes the models beside it, as PyTorch's two exporters and scikit-learn's write them, with weights of fixed seeds.

python tests/data/onnx/export.py, with torch, onnxscript, scikit-learn and skl2onnx installed. No test runs it.
"""

import math
from pathlib import Path

import numpy as np
import onnx
import torch
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

FOLDER = Path(__file__).parent
WIDTH, HEADS, HIDDEN, CLASSES = 16, 2, 32, 3


class Block(nn.Module):
    """A transformer block with its attention written out, and a mean over the sequence to classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down, self.head = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        parts = self.qkv(self.first(x)).chunk(3, dim=-1)
        q, k, v = (t.view(batch, length, HEADS, -1).transpose(1, 2) for t in parts)
        scores = q @ k.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + self.out(mixed)
        x = x + self.down(nn.functional.gelu(self.up(self.second(x))))
        return self.head(x.mean(dim=1))


class Encoder(nn.Module):
    """PyTorch's own encoder layer, and the probabilities of classes from its first row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, batch_first=True, activation="gelu", norm_first=True
        )
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.head(self.layer(x)[:, 0]), -1)


def convolutions() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(4, 8, 3, groups=2), nn.GroupNorm(2, 8), nn.Hardswish(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(8, CLASSES)),
    )


class Resampling(nn.Module):
    """Down and up again, in every way of torch.nn that has an operator of its own: 9 x 9, 5 x 5, 10 x 10, 20 x 20."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.pool = nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True)
        self.average = nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.norm, self.nearest = nn.BatchNorm2d(4), nn.Upsample(scale_factor=2, mode="nearest")
        self.bilinear = nn.Upsample(size=(10, 10), mode="bilinear", align_corners=True)
        self.shuffle, self.last = nn.PixelShuffle(2), nn.Conv2d(12, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.pool(self.first(x)))
        parts = [self.norm(self.up(x)), self.nearest(x), self.bilinear(self.average(x))]
        return self.shuffle(self.last(torch.cat(parts, 1)))


def export_pytorch(name: str, model: nn.Module, shape: tuple[int, ...]) -> None:
    """By the exporter that traces, at opset 14, whose layer norms are in parts and whose shapes are computed."""
    batch = {"x": {0: "batch"}, "out": {0: "batch"}}
    file = FOLDER / f"pytorch_{name}.onnx"
    names = {"input_names": ["x"], "output_names": ["out"]}
    x = torch.zeros(shape)
    torch.onnx.export(model.eval(), (x,), file, dynamo=False, opset_version=14, dynamic_axes=batch, **names)


def export_pytorch_dynamo(name: str, model: nn.Module, shape: tuple[int, ...]) -> None:
    """By the exporter of torch.export; the comments it leaves on every node are dropped."""
    program = torch.onnx.export(
        model.eval(), (torch.zeros(shape),), dynamo=True, input_names=["x"], output_names=["out"]
    )
    made = program.model_proto
    for node in made.graph.node:
        del node.metadata_props[:]
    del made.graph.value_info[:]
    onnx.save(made, FOLDER / f"pytorch_{name}.onnx")


def export_scikit_learn(name: str, model: object, x: np.ndarray, y: np.ndarray) -> None:
    onnx.save(to_onnx(model.fit(x, y), x[:1], target_opset=17), FOLDER / f"scikit_learn_{name}.onnx")


if __name__ == "__main__":
    torch.manual_seed(0)
    export_pytorch("block", Block(), (1, 4, WIDTH))
    encoder = Encoder()
    export_pytorch("encoder", encoder, (1, 4, WIDTH))
    export_pytorch_dynamo("encoder_dynamo", encoder, (1, 4, WIDTH))
    export_pytorch("convolutions", convolutions(), (1, 1, 8, 8))
    torch.manual_seed(1)
    export_pytorch("resampling", Resampling(), (1, 2, 9, 9))
    export_pytorch_dynamo("resampling_dynamo", Resampling(), (1, 2, 9, 9))
    data, labels = load_iris(return_X_y=True)
    data = data.astype(np.float32)
    export_scikit_learn("logistic", make_pipeline(StandardScaler(), LogisticRegression()), data, labels)
    export_scikit_learn("two_classes", LogisticRegression(), data, labels == 0)
    perceptron = MLPClassifier((8,), max_iter=800, random_state=0)
    export_scikit_learn("perceptron", make_pipeline(StandardScaler(), perceptron), data, labels)
    export_scikit_learn("forest", RandomForestClassifier(10, max_depth=4, random_state=0), data, labels)
    export_scikit_learn("boosting", GradientBoostingRegressor(n_estimators=8, random_state=0), data[:, :3], data[:, 3])
    export_scikit_learn("ridge", Ridge(), data[:, :3], data[:, 3])
