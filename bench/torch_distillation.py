"""A student distilled from a teacher in PyTorch, as a program: the other half of a comparison of whole trainings.

    OMP_NUM_THREADS=2 python3 bench/torch_distillation.py DIR --epochs 3 [--threads 2] [--batch 128]

DIR holds train.images, train.labels, val.images and val.labels: bytes, images channels first. The teacher sees every
augmented batch (crop with padding 4, flip) before the student does; after each epoch the student is validated, and its
weights are saved into DIR. Both networks have random weights, of which the time does not depend. Prints one JSON line:
{"epoch_seconds": [...], "accuracy": ...}.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "fixtures"))
from torch_nets import Cnn, resnet18  # noqa: E402

MEAN, STD = 0.5, 0.25


def read(directory, part):
    images = numpy.fromfile(directory / f"{part}.images", numpy.uint8).reshape(-1, 3, 32, 32)
    labels = numpy.fromfile(directory / f"{part}.labels", numpy.uint8)
    return torch.from_numpy(images), torch.from_numpy(labels).long()


def augmented(images):
    padded = F.pad(images, (4, 4, 4, 4))
    crops = torch.empty_like(images)
    for i, (x, y, flips) in enumerate(zip(*(torch.randint(n, (len(images),)).tolist() for n in (9, 9, 2)))):
        crop = padded[i, :, y : y + 32, x : x + 32]
        crops[i] = crop.flip(2) if flips else crop
    return crops


def normalized(images):
    return (images.float() / 255 - MEAN) / STD


def train_epoch(student, teacher, optimizer, images, labels, batch, alpha, T):
    student.train()
    for chosen in torch.randperm(len(images)).split(batch):
        x = normalized(augmented(images[chosen]))
        with torch.no_grad():
            soft = F.softmax(teacher(x) / T, 1)
        logits = student(x)
        kl = F.kl_div(F.log_softmax(logits / T, 1), soft, reduction="batchmean")
        loss = alpha * T * T * kl + (1 - alpha) * F.cross_entropy(logits, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def accuracy(student, images, labels, batch):
    student.eval()
    with torch.no_grad():
        hits = [(student(normalized(x)).argmax(1) == y).sum() for x, y in zip(images.split(batch), labels.split(batch))]
    return float(sum(hits)) / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--alpha", type=float, default=0.9)
    parser.add_argument("--temperature", type=float, default=4)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    train, val = (read(options.directory, part) for part in ("train", "val"))
    student, teacher = Cnn(dropout=0.5), resnet18().eval()
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    seconds = []
    for _ in range(options.epochs):
        start = time.perf_counter()
        train_epoch(student, teacher, optimizer, *train, options.batch, options.alpha, options.temperature)
        result = accuracy(student, *val, options.batch)
        state = {"state_dict": student.state_dict(), "optim_dict": optimizer.state_dict()}
        torch.save(state, options.directory / "last.pth.tar")
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"epoch_seconds": seconds, "accuracy": result}))


if __name__ == "__main__":
    main()
