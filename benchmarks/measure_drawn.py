"""How much of the drawn sample can a linear classifier tell, how much the lecture's CNN?

    python benchmarks/measure_drawn.py             # the table of data/README.md
    python benchmarks/measure_drawn.py --lecture   # the lecture's own recipe, four epochs
    python benchmarks/measure_drawn.py --sheet contact.png

Comparable training: the same optimizer (SGD, momentum 0.9, one-cycle), epochs and batches for
both, the learning rate chosen for each from the same list, each with several seeds.
"""

import argparse
import hashlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, OneCycleLR

from labutils.data import sample
from labutils.training.models import cnn, cnn_softmax  # the lecture's network of exercise 1

RATES = [0.001, 0.003, 0.01, 0.03]


def linear():
    """A softmax classifier on the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))


def as_tensors(arrays):
    """Images to -1..1, channels first."""
    x_train, y_train, x_test, y_test = (torch.from_numpy(a) for a in arrays)
    x_train, x_test = ((x.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5 for x in (x_train, x_test))
    return x_train.contiguous(), y_train, x_test.contiguous(), y_test


def digest(arrays):
    """A short checksum of the sample, so that a number can say what it was measured on."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:8]


def accuracy(model, images, labels):
    """Share of right answers, in percent."""
    with torch.no_grad():
        return 100 * (model(images).argmax(1) == labels).float().mean().item()


def train(make, tensors, *, lr, epochs, batch_size, seed, one_cycle=True):
    """Train one model; return (train, test) accuracy after each epoch."""
    x_train, y_train, x_test, y_test = tensors
    torch.manual_seed(seed)
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    steps = -(-len(x_train) // batch_size)
    schedule = ConstantLR(optimizer, factor=1)
    if one_cycle:
        schedule = OneCycleLR(optimizer, lr, total_steps=epochs * steps)
    curve = []
    for _ in range(epochs):
        for rows in torch.randperm(len(x_train)).split(batch_size):
            loss = F.cross_entropy(model(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        curve.append((accuracy(model, x_train, y_train), accuracy(model, x_test, y_test)))
    return curve


def compare(tensors, epochs, seeds, rates):
    """Print the accuracies of both models, each at its best learning rate, and the gap."""
    best = []
    for name, make in (("linear softmax", linear), ("lecture's CNN", cnn)):
        results = []  # (mean test accuracy, learning rate, train and test accuracies by seed)
        for lr in rates:
            recipe = {"lr": lr, "epochs": epochs, "batch_size": 32}
            fit, test = np.array([train(make, tensors, seed=s, **recipe)[-1] for s in seeds]).T
            print(f"  {name}, lr {lr:g}: {test.mean():.1f} %", flush=True)
            results.append((test.mean(), lr, fit, test))
        mean, lr, fit, test = max(results, key=lambda result: result[0])
        best.append(mean)
        print(
            f"{name:15} lr {lr:<6g} train {fit.mean():5.1f} %  "
            f"test {mean:5.1f} % ({test.min():.1f} to {test.max():.1f})"
        )
    print(f"the CNN is {best[1] - best[0]:.1f} points ahead")


def lecture(tensors, seeds):
    """Exercise 1 as printed: batch 8, SGD 0.001 with momentum 0.9, four epochs."""
    recipe = {"lr": 0.001, "epochs": 4, "batch_size": 8, "one_cycle": False}
    for name, make in (("softmax twice", cnn_softmax), ("logits", cnn)):
        curves = [[test for _, test in train(make, tensors, seed=s, **recipe)] for s in seeds]
        text = "  ".join(
            f"{a.mean():.1f} ({a.min():.1f}-{a.max():.1f})" for a in np.array(curves).T
        )
        print(f"{name:14} test % after epochs 1-4: {text}")


def sheet(images, labels, path, columns=12, zoom=4):
    """A picture of a dozen images of each class."""
    from PIL import Image

    rows = [np.concatenate(list(images[labels == k][:columns]), 1) for k in range(10)]
    whole = np.concatenate(rows)
    size = (whole.shape[1] * zoom, whole.shape[0] * zoom)
    Image.fromarray(whole).resize(size, Image.Resampling.NEAREST).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lecture", action="store_true", help="the lecture's own recipe instead")
    parser.add_argument("--sheet", metavar="PNG", help="write a contact sheet instead")
    parser.add_argument("--train-images", type=int, default=4000, help="use the first N only")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    arguments = parser.parse_args()

    start = time.process_time()
    arrays = sample.sample(None)
    seconds = time.process_time() - start
    print(f"sample {digest(arrays)}, drawn in {seconds:.1f} s of CPU time", flush=True)
    x_train, y_train, *test = arrays
    n = arguments.train_images
    tensors = as_tensors((x_train[:n], y_train[:n], *test))
    if arguments.sheet:
        sheet(x_train, y_train, arguments.sheet)
    elif arguments.lecture:
        lecture(tensors, arguments.seeds)
    else:
        compare(tensors, arguments.epochs, arguments.seeds, arguments.rates)


if __name__ == "__main__":
    main()
