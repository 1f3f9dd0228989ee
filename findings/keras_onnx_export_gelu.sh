#!/usr/bin/env bash
# Keras 3.15.1 with TensorFlow 2.21.0: model.export(..., format="onnx") of a network with a GELU writes a file that ONNX Runtime
# does not load, without an error.
#
# Expected: an export that ends well gives a valid model; GELU is written with Erf or Gelu, or the export fails.
# Seen: TensorFlow lowers GELU to Erfc, which ONNX has not. tf2onnx 1.17.0 logs "Tensorflow op [.../Erfc: Erfc] is not supported",
# leaves a node "Erfc" in ONNX's own domain, and export() returns. onnx.checker and ONNX Runtime both refuse the file. With
# KERAS_BACKEND=jax the same network is exported by jax2onnx with Gelu and loads. And a functional model that was built with
# Input, but never called, is refused: "The model provided has never called."
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0 \
  jax==0.10.2 jax2onnx==0.17.1 flax==0.12.8
cat >"$folder/export.py" <<'PYTHON'
import sys
import keras, numpy as np, onnx, onnxruntime
from keras import layers

model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Activation("gelu"), layers.Flatten(), layers.Dense(2)])
path = sys.argv[1]
try:
    model.export(path, format="onnx", verbose=False)
    print("uncalled: exported")
except ValueError as error:
    print("uncalled:", error)
model(np.zeros((1, 8, 8, 3), "float32"))
model.export(path, format="onnx", verbose=False)
names = {node.op_type for node in onnx.load(path).graph.node}
print("operators:", sorted(names & {"Erf", "Erfc", "Gelu"}))
try:
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    print("loads")
except Exception as error:
    print("does not load:", "Erfc" in str(error))
PYTHON
run() { KERAS_BACKEND=$1 TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/export.py" "$folder/$1.onnx" 2>/dev/null; }
for backend in tensorflow jax; do
  echo "== $backend"
  run "$backend" | tee "$folder/$backend.txt"
done
grep -q '^uncalled: The model provided has never called' "$folder/tensorflow.txt"
grep -q "^operators: \['Erfc'\]" "$folder/tensorflow.txt"
grep -q '^does not load: True' "$folder/tensorflow.txt"
grep -q "^operators: \['Gelu'\]" "$folder/jax.txt"
grep -q '^loads' "$folder/jax.txt"
