#!/usr/bin/env bash
# ONNX Runtime 1.32.0 (CPU): ReduceSumSquare and ReduceL2 in float32 beside ReduceSum.
#
# Expected: a sum of squares is about as exact as the sum, as in NumPy, which adds pairwise: a relative error of about
# 1e-6 for 3 million values a channel.
# Seen: over axes (0, 2) of (128, 16, 25600) normal values, ReduceSum and ReduceMean are right to 4e-7, ReduceSumSquare is wrong by 3e-3
# and ReduceL2 by 1.5e-3: each channel has one running sum in float32, which grows too large for what is added. ReduceSum does
# the same along the first axis of a column: 20 million ones of the shape (20000000, 1) add up to 2^24 = 16,777,216; as a vector of
# 20 million they add up rightly. A variance or a norm of gradients that is computed so is too small, without any message.
# (Of ReduceSum alone: microsoft/onnxruntime issue 28450.)
# Fails if the sum of squares is right to 1e-4, the sums over (0, 2) no longer to 1e-5, or the column adds up.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.19.1 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def reduced(operator, x, axes):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "axes"], ["y"], keepdims=0)],
        "reduction",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def error(operator, x, exact):
    errors = np.abs(reduced(operator, x, [0, 2]).astype(np.float64) / exact - 1)
    print(f"{operator}: relative error of the worst channel {errors.max():.1e}")
    return errors.max()


print("ONNX Runtime", onnxruntime.__version__)
x = np.random.default_rng(0).standard_normal((128, 16, 25600)).astype(np.float32)
shifted = x + np.float32(3)
squares = (x.astype(np.float64) ** 2).sum((0, 2))
total = shifted.astype(np.float64).sum((0, 2))
assert error("ReduceSum", shifted, total) < 1e-5
assert error("ReduceMean", shifted, total / (128 * 25600)) < 1e-5
assert error("ReduceSumSquare", x, squares) > 1e-4
assert error("ReduceL2", x, np.sqrt(squares)) > 1e-4
ones = np.ones((20_000_000, 1), np.float32)
column = reduced("ReduceSum", ones, [0])[0]
vector = reduced("ReduceSum", ones[:, 0], [0])
print(f"20,000,000 ones: {column:,.0f} as a column, {vector:,.0f} as a vector")
assert (column, vector) == (2**24, 20_000_000)
PYTHON
