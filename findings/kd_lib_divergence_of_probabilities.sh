#!/usr/bin/env bash
# KD-Lib 0.0.32 asks KLDivLoss for a divergence with both arguments wrong, so that students learn to be unsure.
#
# Expected: torch.nn.KLDivLoss takes log-probabilities of the student, then probabilities of the teacher; equal ones have no loss.
# Seen (KD-Lib 0.0.32, torch 2.15): LabelSmoothReg and ProbShift hand it the teacher's probabilities first, then the student's, neither of
# them logarithms. Student and teacher that are equal have a loss below 0, and the least loss is not at the teacher's
# distribution: from a teacher that is 97 % sure of the class, the student learns to give it 23 % (ten classes, T = 1).
# Fails if this changes. PYTHON may name a Python that has torch 2.15.0; without it one is installed in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-$folder/venv/bin/python}
if [ -z "${PYTHON:-}" ]; then
  python3 -m venv "$folder/venv"
  "$python" -m pip install -q torch==2.15.0 numpy
fi
# KD-Lib asks for torch 1.8.1: its package is unpacked, and the module with the method imported.
"$python" -m pip install -q --no-deps --target "$folder/packages" KD-Lib==0.0.32
PACKAGES="$folder/packages" "$python" - <<'PYTHON'
import importlib.util
import os
import sys
import types

import torch

class BaseClass:
    """What the method takes from KD_Lib.KD.common."""

    def __init__(self, *_, loss_fn, temp, distil_weight, device, **__):
        self.loss_fn, self.temp, self.distil_weight, self.device = loss_fn, temp, distil_weight, device


for name in ("KD_Lib", "KD_Lib.KD", "KD_Lib.KD.common"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["KD_Lib.KD.common"].BaseClass = BaseClass
path = os.path.join(os.environ["PACKAGES"], "KD_Lib/KD/vision/KA/PS.py")
spec = importlib.util.spec_from_file_location("shift", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
method = module.ProbShift(None, None, None, None, None, None, temp=1.0, ka_weight=1.0)

labels = torch.tensor([3])
teacher = torch.zeros(1, 10)
teacher[0, 3] = 5.7
equal = method.calculate_kd_loss(teacher, teacher, labels).item()
print(f"student and teacher are equal: loss {equal:.3f}")
assert equal < -0.1, "changed: equal distributions have no loss by now"

torch.manual_seed(0)
student = torch.randn(1, 10, requires_grad=True)
optimizer = torch.optim.Adam([student], 0.05)
for _ in range(3000):
    optimizer.zero_grad()
    method.calculate_kd_loss(student, teacher, labels).backward()
    optimizer.step()
given, learned = (torch.softmax(z, 1)[0, 3].item() for z in (teacher, student))
print(f"the teacher gives the class {given:.2f}, the student has learned to give it {learned:.2f}")
assert given > 0.95 and learned < 0.5, "changed: the student learns what the teacher says"
PYTHON
