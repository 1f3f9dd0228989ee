#!/usr/bin/env bash
# ONNX Runtime 1.30.0 and 1.32.0 (CPU): element-wise operators with a scalar and a tensor whose last length is 1.
#
# Expected: y = x · s takes the same time for x of shape [320, 1280] and [320, 1280, 1, 1], the weight of a 1 × 1 convolution, as the
# elements are the same and s is a scalar of shape [] both times.
# Seen: with the trailing ones Mul and Add take about 70 times as long (2.4 ms beside 0.03 ms for 409,600 elements on one thread); with
# a scalar of shape [1, 1, 1, 1] they do not. Twelve such products, by the momentum, the weight decay and the learning rate, took 15 ms
# of a training step of ConvNeXt-atto that was written as ONNX nodes.
# Fails if the slow form is no longer at least 10 times as slow, or the fast form no longer fast.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.19.1 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def milliseconds(operator, shape, scalar):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "s"], ["y"])],
        "product",
        [value("x", TensorProto.FLOAT, shape), value("s", TensorProto.FLOAT, scalar)],
        [value("y", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {"x": np.ones(shape, "float32"), "s": np.full(scalar, 0.5, "float32")}
    times = []
    for _ in range(30):
        start = time.perf_counter()
        session.run(None, feeds)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


print("ONNX Runtime", onnxruntime.__version__)
for operator in ("Mul", "Add"):
    flat = milliseconds(operator, [320, 1280], [])
    trailing = milliseconds(operator, [320, 1280, 1, 1], [])
    full_rank = milliseconds(operator, [320, 1280, 1, 1], [1, 1, 1, 1])
    print(f"{operator}: [320, 1280] by [] {flat:.3f} ms; [320, 1280, 1, 1] by [] {trailing:.3f} ms; by [1, 1, 1, 1] {full_rank:.3f} ms")
    assert trailing > 10 * flat, "no longer slow"
    assert full_rank < 3 * flat, "the way round it is slow"
PYTHON
