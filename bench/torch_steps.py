"""PyTorch's time for training steps: the other half of a speed comparison.

    OMP_NUM_THREADS=2 python3 bench/torch_steps.py [--threads 2] [--batch 128] [--only cnn,resnet20] [--steps 10]
    OMP_NUM_THREADS=2 python3 bench/torch_steps.py --serve [--threads 2] [--batch 128] [--device cuda] [--mode compile]

A step is zero_grad, forward pass, cross entropy, backward pass, optimizer step, on one fixed random batch; a case makes
one untimed step first. --mode compile compiles the network by torch.compile; --mode bfloat16 computes under autocast. Networks of
timm need timm. Prints one JSON line a case: {"case", "median_ms", "min_ms", "peak_mb", "batch", "threads"}, where
peak_mb is the most memory (RSS) that the process has had so far, in MiB.
With --serve it reads lines "<case> <steps>" from standard input and answers each with its line (or {"error"}), so that
another program can run its own steps in turn with these.
"""
import argparse
import functools
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "fixtures"))
import torch_nets_other as other  # noqa: E402
import torch_nets_residual as residual  # noqa: E402
from torch_nets import Cnn, resnet8, resnet18, resnet20, resnet56  # noqa: E402


def sgd(net):
    return torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)


def adam(net):
    return torch.optim.Adam(net.parameters(), lr=1e-3)


def autocast(images, mode):
    return torch.autocast(images.device.type, torch.bfloat16, enabled=mode == "bfloat16")


def ready(net, images, mode):
    net = net.to(images.device)
    return torch.compile(net) if mode == "compile" else net


def train(make_net, make_optimizer, images, labels, mode):
    net = ready(make_net(), images, mode)
    optimizer = make_optimizer(net)

    def step():
        optimizer.zero_grad()
        with autocast(images, mode):
            loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()

    return step


def predict(make_net, images, labels, mode):
    net = ready(make_net().eval(), images, mode)

    def step():
        with torch.no_grad(), autocast(images, mode):
            net(images)

    return step


def distill(make_student, make_optimizer, make_teacher, images, labels, mode, alpha=0.9, T=4):
    student, teacher = ready(make_student(), images, mode), ready(make_teacher().eval(), images, mode)
    optimizer = make_optimizer(student)

    def step():
        with torch.no_grad(), autocast(images, mode):
            soft = F.softmax(teacher(images).float() / T, 1)
        optimizer.zero_grad()
        with autocast(images, mode):
            logits = student(images).float()
        kl = F.kl_div(F.log_softmax(logits / T, 1), soft, reduction="batchmean")
        (alpha * T * T * kl + (1 - alpha) * F.cross_entropy(logits, labels)).backward()
        optimizer.step()

    return step


def cnn():
    return Cnn(dropout=0.5)


def of_timm(net):
    from make_nets_modern import build  # needs timm

    return build(net, (3, 32, 32), {})


# Case: what makes its step from (images, labels), and how many steps to time by default.
CASES = {
    "cnn": (functools.partial(train, cnn, adam), 20),
    "resnet8": (functools.partial(train, resnet8, sgd), 20),
    "resnet20": (functools.partial(train, resnet20, sgd), 10),
    "resnet18": (functools.partial(train, resnet18, sgd), 3),
    "wrn16_2": (functools.partial(train, functools.partial(residual.build, "WRN16_2"), sgd), 5),
    "mobilenetv2": (functools.partial(train, other.MobileNetV2, sgd), 3),
    **{
        net: (functools.partial(train, functools.partial(of_timm, net), sgd), 3)
        for net in ("vit_tiny", "convnext_atto", "mobilenetv3_small", "efficientnet_b0")
    },
    "resnet18_forward": (functools.partial(predict, resnet18), 5),
    "resnet56_forward": (functools.partial(predict, resnet56), 5),
    "cnn_from_resnet18": (functools.partial(distill, cnn, adam, resnet18), 5),
}


def measure(case, step, steps, options):
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        if options.device == "cuda":
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e3)
    return {
        "case": case,
        "median_ms": round(statistics.median(times), 1),
        "min_ms": round(min(times), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)),
        "batch": options.batch,
        "threads": options.threads,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CASES), metavar="CASE,CASE")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--mode", choices=["eager", "compile", "bfloat16"], default="eager")
    parser.add_argument("--steps", type=int, help="timed steps of every case")
    parser.add_argument("--serve", action="store_true", help="answer lines '<case> <steps>' from standard input")
    options = parser.parse_args()
    unknown = [case for case in options.only if case not in CASES]
    if unknown:
        parser.error(f"--only: no case {unknown[0]}; there are {', '.join(CASES)}")

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # float32 in full, as on our side.
    torch.backends.cudnn.allow_tf32 = False
    images = torch.randn(options.batch, 3, 32, 32).to(options.device)
    labels = torch.randint(0, 10, (options.batch,)).to(options.device)

    @functools.lru_cache(maxsize=None)
    def warm_step(case):
        step = CASES[case][0](images, labels, options.mode)
        step()
        return step

    if not options.serve:
        for case in options.only:
            print(json.dumps(measure(case, warm_step(case), options.steps or CASES[case][1], options)), flush=True)
        return
    for line in sys.stdin:
        case, _, steps = line.strip().partition(" ")
        if case in CASES and steps.isdigit() and int(steps) > 0:
            answer = measure(case, warm_step(case), int(steps), options)
        else:
            answer = {"error": f"expected '<case> <steps>', case one of {', '.join(CASES)}; got {line.strip()!r}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
