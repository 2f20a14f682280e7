"""``python -m benchmarks.live_training_cost``: what watching a training costs.

In a kernel, as in a notebook: the CNN of notebook 03 in batches of 8, whose steps of a millisecond
or two are the shortest of the series, with ``widgets.live_training`` and without, by turns. Exit
status 1 where the watched training took more than 2 % longer, by the median of the pairs.
"""

import argparse
import os
import statistics
import sys

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

LIMIT = 0.02
CELL = """
import time
import torch
from labutils import data, training, widgets
from labutils.training import models

train_data, test_data = data.load("cifar10", source="sample")
reference = training.load_reference("cnn_logits")
training.in_watched_notebook = lambda: True

def seconds(watched):
    torch.manual_seed(0)
    model = models.cnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    batches = data.Batches(train_data, 8, shuffle=True)
    in_calls = 0.0
    with widgets.live_training(reference) as live:
        def on_batch(progress):
            nonlocal in_calls
            begin = time.perf_counter()
            stop = live(progress)
            in_calls += time.perf_counter() - begin
            return stop
        def nothing(progress):
            return False  # so that neither run has a progress bar
        history = training.fit(
            model, batches, optimizer=optimizer, num_epochs=EPOCHS,
            on_batch=on_batch if watched else nothing, verbose=False,
        )
    return sum(history.seconds), in_calls

seconds(True)  # loads what is needed
for pair in range(PAIRS):
    first = bool(pair % 2)
    times = {watched: seconds(watched) for watched in (first, not first)}
    print(times[False][0], *times[True])
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=20, help="of 500 batches")
    arguments = parser.parse_args()
    source = CELL.replace("EPOCHS", str(arguments.epochs)).replace("PAIRS", str(arguments.pairs))
    notebook = new_notebook(cells=[new_code_cell(source)])
    NotebookClient(notebook, timeout=None, kernel_name="python3").execute(env=dict(os.environ))
    said = [its.text for its in notebook.cells[0].outputs if its.get("name") == "stdout"]
    lines = "".join(said).splitlines()[-arguments.pairs :]
    print(f"{'plain':>8}{'watched':>10}{'more':>9}{'in calls':>10}")
    shares = []
    for line in lines:
        plain, watched, in_calls = map(float, line.split())
        shares.append(watched / plain - 1)
        print(f"{plain:>6.2f} s{watched:>8.2f} s{shares[-1]:>9.1%}{in_calls / watched:>10.2%}")
    more = statistics.median(shares)
    print(f"median {more:+.1%}, at most {LIMIT:.0%} allowed")
    return int(more > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
