#!/usr/bin/env bash
# DISTPlusLoss of torchdistill 1.1.5 is least where the student's features are the opposite of the teacher's.
#
# Expected: each of its four terms is a distance, as those of DISTLoss are (1 - correlation), and 0 where both sides are equal.
# Seen (torchdistill 1.1.5, torch 2.15): the term for channels, weighted by `iota` (1 by default), is the correlation
# itself. With equal logits and equal features the loss is 1, and gradient descent on the term
# alone takes the correlation to -1.
# Fails if this changes. PYTHON may name a Python that has torch 2.15.0; without it one is installed in a temporary folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-$folder/venv/bin/python}
if [ -z "${PYTHON:-}" ]; then
  python3 -m venv "$folder/venv"
  "$python" -m pip install -q torch==2.15.0 torchvision scipy pyyaml
fi
"$python" -m pip install -q --no-deps --target "$folder/packages" torchdistill==1.1.5
PYTHONPATH="$folder/packages" "$python" - <<'PYTHON'
import torch
from torchdistill.losses.mid_level import DISTPlusLoss

torch.manual_seed(0)
logits, features = torch.randn(8, 5), torch.randn(8, 6, 4, 4)
loss = DISTPlusLoss("z", "output", "z", "output", "f", "output", "f", "output")
io = lambda f: {"z": {"output": logits}, "f": {"output": f}}

equal = loss(io(features), io(features)).item()
print(f"equal logits and features: loss {equal:.3f}")
assert abs(equal - 1) < 1e-4, "changed: equal features have no loss by now"

student = torch.randn_like(features).requires_grad_()
optimizer = torch.optim.Adam([student], 0.1)
for _ in range(300):
    optimizer.zero_grad()
    loss.channel_relation(student, features).backward()
    optimizer.step()
reached = loss.channel_relation(student, features).item()
print(f"after 300 steps that minimize the term for channels: correlation {reached:.3f}")
assert reached < -0.95, "changed: the term brings features together by now"
PYTHON
