"""KD-Lib 0.0.32 asks KLDivLoss for a divergence with both arguments wrong, so that students learn to be unsure.

Expected: torch.nn.KLDivLoss takes log-probabilities of the student, then probabilities of the teacher; equal ones have no loss.
Seen (KD-Lib 0.0.32, torch 2.15): LabelSmoothReg and ProbShift hand it the teacher's probabilities first, then the student's, neither of
them logarithms. Student and teacher that are equal have a loss below 0, and the least loss is not at the teacher's
distribution: from a teacher that is 97 % sure of the class, the student learns to give it 23 % (ten classes, T = 1).
Fails if this changes. Needs torch and pip; KD-Lib itself, which asks for torch 1.8.1, is downloaded and its file run.
"""
import subprocess
import sys
import tempfile
import types
import zipfile
from pathlib import Path

import torch

with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "KD-Lib==0.0.32"]
    subprocess.run(command, check=True)
    (wheel,) = Path(folder).glob("*.whl")
    source = zipfile.ZipFile(wheel).read("KD_Lib/KD/vision/KA/PS.py").decode()


class BaseClass:
    """What the method takes from KD_Lib.KD.common."""

    def __init__(self, *_, loss_fn, temp, distil_weight, device, **__):
        self.loss_fn, self.temp, self.distil_weight, self.device = loss_fn, temp, distil_weight, device


for name in ("KD_Lib", "KD_Lib.KD", "KD_Lib.KD.common"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["KD_Lib.KD.common"].BaseClass = BaseClass
found = {}
exec(source, found)
method = found["ProbShift"](None, None, None, None, None, None, temp=1.0, ka_weight=1.0)

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
