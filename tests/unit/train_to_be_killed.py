"""A run of a second or less for test_checkpoints to kill."""

import hashlib
import json
import random

import numpy as np
import torch
from torch import nn

from labutils import data, training


def train(checkpoint, result, begun) -> None:
    """Train with a checkpoint; write weights and history to ``result`` at the end."""
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (400, 8, 8, 3), dtype=torch.uint8)
    labels = images[:, 0, 0, 0].long() % 10
    train = data.ImageSet(images, labels, classes="abcdefghij", name="noise", source="npz")
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 36, 10)
    )
    batches = data.Batches(train, 8, shuffle=True, augment=data.random_crop(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    total_steps = 12 * len(batches)
    begun.set()
    history = training.fit(
        model,
        batches,
        data.Batches(train, 100),
        optimizer=optimizer,
        num_epochs=12,
        scheduler=torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=total_steps),
        step_scheduler="batch",
        checkpoint=checkpoint,
        verbose=False,
    )
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    numbers = history.state_dict()
    del numbers["seconds"]
    text = json.dumps({"weights": hashlib.sha256(weights).hexdigest(), "history": numbers})
    result.write_text(text)
