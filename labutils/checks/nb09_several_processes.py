"""Checks of notebook 09: shards, averaged gradients, the ring all-reduce, one accuracy of many.

Lists stand for processes, as a sandbox may allow none. The oracles are PyTorch's
``DistributedSampler``, autograd, and sums over all ranks at once.
"""

import random
from collections.abc import Callable
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.utils.data.distributed import DistributedSampler

from labutils.checks.frame.ask import Wrong, ask, describe, expect_number, expect_tensor
from labutils.checks.judges.values import Values, table

NOTEBOOK = "09_several_processes"


class Read(Values):
    """Judge what ``read(result, *args)`` makes of a result: one tensor, or one number.

    ``read`` raises :class:`Wrong` where the result has not the form that is asked for.
    """

    def __init__(self, *args, read: Callable, **settings):
        super().__init__(*args, **settings)
        self.read = read

    def _reading(self, function: Callable) -> Callable:
        return lambda *args: self.read(function(*args), *args)

    def expected(self, probe):
        return self.read(super().expected(probe), *probe.args)

    def _ask(self, answer, probe, expected):
        reading = self._reading(answer) if callable(answer) else answer
        return super()._ask(reading, probe, expected)

    def _gives(self, formula, probe, result) -> bool:
        return super()._gives(self._reading(formula), probe, result)

    def _explain(self, answer, probe, got, expected) -> NoReturn:
        if not torch.equal(*map(torch.as_tensor, (got, self._ask(answer, probe, expected)))):
            raise Wrong(
                f"{probe.call} gave two results in two calls.",
                "The result must depend on the arguments alone. What is drawn at random needs a "
                "seed, the same one on every rank.",
            )
        super()._explain(answer, probe, got, expected)


def _a_list(value, what: str) -> list:
    """Demand a list or a tuple."""
    if not isinstance(value, (list, tuple)):
        hint = (
            "A Python list is asked for: list(...) makes one of a tensor's rows, .tolist() one of "
            "its numbers."
        )
        if value is None:
            hint = "Is there a `return` at the end of the function?"
        raise Wrong(f"{what} is {describe(value)}; expected a list.", hint)
    return list(value)


# --- shard ----------------------------------------------------------------------------------


def _shard(num_images: int, rank: int, world: int, epoch: int) -> list[int]:
    sampler = DistributedSampler(range(num_images), world, rank, shuffle=True, seed=0)
    sampler.set_epoch(epoch)
    return list(sampler)


def _indices(result, num_images: int, *_) -> Tensor:
    """A list of whole numbers that are images, as a tensor."""
    result = _a_list(result, "The shard")
    numbers = [expect_number(index, "One index of the shard") for index in result]
    wrong = [n for n in numbers if n != int(n) or not 0 <= n < num_images]
    if wrong:
        raise Wrong(
            f"The shard holds {wrong[0]:g}; expected whole numbers from 0 to {num_images - 1}.",
            "A shard lists which images a rank sees, by their numbers.",
        )
    return torch.tensor([int(number) for number in numbers])


shard = Read(
    "shard",
    NOTEBOOK,
    3,
    _shard,
    read=_indices,
    idea="Draw one permutation of all images, from a generator seeded with the epoch, so that all "
    "ranks draw the same. Append its first numbers until its length can be divided by world. Then "
    "rank takes every world-th number, beginning with its own place.",
    hint="Write the permutation down, and deal it out like cards, one number to each rank in turn.",
    shape_hint="Every rank gets equally many images, those of num_images / world, rounded up: "
    "a rank without a last batch would leave the others waiting.",
)

for _args in (
    (8, 0, 2, 0),
    (8, 1, 2, 1),
    (12, 1, 3, 2),
    (9, 0, 1, 3),
    (11, 2, 3, 1),
    (10, 3, 4, 2),
    (10, 1, 4, 2),
):
    shard.probe(*_args)


def _permutation(num_images: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(num_images, generator=generator).tolist()


def _padded(order: list[int], world: int) -> list[int]:
    return order + order[: -len(order) % world]


shard.probe(
    *(3, 7, 8, 1),
    hint="With more ranks than images the permutation itself is shorter than what is missing: "
    "repeat it as often as needed.",
    trap=lambda n, rank, world, epoch: _padded(_permutation(n, epoch), world)[rank::world],
)


def _dealt(order: Callable, *, pad: Callable = _padded, take: Callable | None = None) -> Callable:
    """A formula with another ``order(n, rank, epoch)``, padding, or share taken of it."""
    take = take or (lambda order, rank, world: order[rank::world])
    return lambda n, rank, world, epoch: take(pad(order(n, rank, epoch), world), rank, world)


def _by_epoch(n: int, rank: int, epoch: int) -> list[int]:
    return _permutation(n, epoch)


def _in_order(n: int, rank: int, epoch: int) -> list[int]:
    return list(range(n))


def _as_it_is(order: list[int], world: int) -> list[int]:
    return order


def _a_block(order: list[int], rank: int, world: int) -> list[int]:
    size = len(order) // world
    return order[rank * size : (rank + 1) * size]


def _shuffled_afterwards(n: int, rank: int, world: int, epoch: int) -> list[int]:
    own = _padded(list(range(n)), world)[rank::world]
    return [own[place] for place in _permutation(len(own), epoch)]


def _by_random(n: int, rank: int, epoch: int) -> list[int]:
    order = list(range(n))
    random.Random(epoch).shuffle(order)
    return order


shard.mistakes += table(
    ("the images in their order", _dealt(_in_order), _dealt(_in_order, take=_a_block),
     "Nothing is shuffled: torch.randperm draws the order, from a generator seeded with the "
     "epoch."),
    ("the same order in every epoch", _dealt(lambda n, rank, epoch: _permutation(n, 0)),
     "The epoch does not enter, so every epoch goes through the images in the same order. Seed the "
     "generator with it: that is what set_epoch is for."),
    ("a shard of a permutation that the rank drew for itself",
     _dealt(lambda n, rank, epoch: _permutation(n, rank)),
     _dealt(lambda n, rank, epoch: _permutation(n, epoch + rank)),
     "With the rank in the seed every rank draws another permutation, and shards of different "
     "permutations overlap: some images are seen twice, others never. The seed is the epoch "
     "alone."),
    ("all images, for every rank", _dealt(_by_epoch, take=lambda order, rank, world: order),
     _dealt(_by_epoch, pad=_as_it_is, take=lambda order, rank, world: order),
     "Every rank sees everything, so the work is done several times over. Take only this rank's "
     "share of the permutation."),
    ("a block of the permutation", _dealt(_by_epoch, take=_a_block),
     _dealt(_by_epoch, pad=_as_it_is, take=_a_block),
     "That is one block after the other. DistributedSampler deals like cards: rank 0 gets places "
     "0, world, 2 · world and so on."),
    ("a shard of an order that was shuffled after it was dealt out", _shuffled_afterwards,
     "Each rank keeps the same images for ever and shuffles only them. Shuffle all images first, "
     "deal them out then."),
    ("a shard without the last images",
     _dealt(_by_epoch, pad=lambda order, world: order[: len(order) // world * world]),
     "The images that do not fill a round are dropped. DistributedSampler fills the round up from "
     "the permutation's beginning, so that no image is lost."),
    ("a shard that is one image shorter than another rank's", _dealt(_by_epoch, pad=_as_it_is),
     "The ranks get different numbers of images. One of them would have a batch more and wait for "
     "the others for ever: fill the last round up from the permutation's beginning."),
    ("a shard that is filled up from the end",
     _dealt(_by_epoch, pad=lambda order, world: order + order[len(order) - -len(order) % world :]),
     _dealt(_by_epoch, pad=lambda order, world: order + order[-1:] * (-len(order) % world)),
     "What fills the last round are the permutation's first numbers, not its last ones."),
    ("a shard that is filled up with the first images",
     _dealt(_by_epoch, pad=lambda order, world: order + list(range(-len(order) % world))),
     _dealt(_by_epoch, pad=lambda order, world: order + [0] * (-len(order) % world)),
     "The last round is filled up from the beginning of the permutation, not of the dataset."),
    ("the shard of another rank",
     _dealt(_by_epoch, take=lambda order, rank, world: order[(rank - 1) % world :: world]),
     _dealt(_by_epoch, take=lambda order, rank, world: order[rank - 1 :: world]),
     _dealt(_by_epoch, take=lambda order, rank, world: order[(rank + 1) % world :: world]),
     _dealt(_by_epoch, take=lambda order, rank, world: order[rank + 1 :: world]),
     "Ranks are counted from 0: rank r begins with place r of the permutation."),
    ("a shard of another generator's permutation", _dealt(_by_random),
     _dealt(lambda n, rank, epoch: np.random.RandomState(epoch).permutation(n).tolist()),
     _dealt(lambda n, rank, epoch: np.random.default_rng(epoch).permutation(n).tolist()),
     "Python's and NumPy's generators draw other permutations than torch's: ranks have to agree on "
     "one, and DistributedSampler's is torch.randperm's."),
)  # fmt: skip


@shard.then
def _leave_generators_alone(answer) -> None:
    for name, state in (
        ("torch", lambda: torch.get_rng_state().tolist()),
        ("Python", random.getstate),
        ("NumPy", lambda: np.random.get_state()[1].tolist()),
    ):
        before = state()
        ask(answer, 9, 1, 2, 3, called="shard")
        if state() != before:
            raise Wrong(
                f"shard gives the right images, and moves {name}'s global random generator.",
                "Whatever else is random in the program would depend on this call: draw the "
                "permutation from a generator of your own, torch.Generator().manual_seed(...).",
            )


# --- average_gradients ----------------------------------------------------------------------


def _average_gradients(gradients: list[list[Tensor]], sizes: list[int]) -> list[Tensor]:
    """By autograd, of the whole batch's mean loss. A rank's loss is the linear one that has its
    gradient."""
    parameters = [torch.zeros_like(gradient, requires_grad=True) for gradient in gradients[0]]
    whole = 0
    for own, size in zip(gradients, sizes, strict=True):
        losses = ((gradient * p).sum() for gradient, p in zip(own, parameters, strict=True))
        whole = whole + size * sum(losses)
    return list(torch.autograd.grad(whole / sum(sizes), parameters))


def _one_after_another(result, gradients: list[list[Tensor]], *_) -> Tensor:
    """A list of tensors, one a parameter, as one tensor."""
    what = "The result of average_gradients"
    result = _a_list(result, what)
    if len(result) != len(gradients[0]):
        raise Wrong(
            f"{what} has {len(result)} entries; expected {len(gradients[0])}, one for each "
            "parameter.",
            "gradients[rank][i] belongs to parameter i. The ranks disappear, the parameters stay.",
        )
    for i, (one, like) in enumerate(zip(result, gradients[0], strict=True)):
        expect_tensor(
            one, like.shape, like.dtype, f"Entry {i} of the result",
            "Average entry by entry over the ranks: each gradient keeps its parameter's shape.",
        )  # fmt: skip
    return torch.cat([one.flatten() for one in result])


average_gradients = Read(
    "average_gradients",
    NOTEBOOK,
    2,
    _average_gradients,
    read=_one_after_another,
    idea="A rank's mean loss is a sum divided by its number of images. Multiply its gradient with "
    "that number, add up over the ranks, and divide by the number of all images.",
    hint="Take two ranks and one number each, and compute the mean over all images by hand.",
)

_g = torch.Generator().manual_seed(0)


def _drawn(ranks: int, *shapes: tuple[int, ...]) -> list[list[Tensor]]:
    return [[torch.randn(shape, generator=_g) for shape in shapes] for _ in range(ranks)]


_two = [[torch.tensor([1.0, 4.0])], [torch.tensor([3.0, 0.0])]]
for _gradients, _sizes in (
    (_two, [2, 2]),
    (_two, [3, 1]),
    (_drawn(3, (2,), (1,)), [4, 4, 3]),
    (_drawn(2, (2, 3), (2,)), [32, 17]),
    (_drawn(1, (2,), ()), [5]),
):
    _given = "[[tensor([1, 4])], [tensor([3, 0])]]" if _gradients is _two else "gradients"
    average_gradients.probe(_gradients, _sizes, call=f"average_gradients({_given}, {_sizes})")
average_gradients.probe(
    *(_two[:1] + [[torch.zeros(2)]], [3, 0]),
    call="average_gradients([[tensor([1, 4])], [tensor([0, 0])]], [3, 0])",
    hint="A rank may have no image left: its size is 0, and it weighs nothing. Divide only by the "
    "number of all images.",
    trap=lambda gradients, sizes: [
        sum(g / (sum(sizes) / size) for g, size in zip(every, sizes, strict=True))
        for every in zip(*gradients, strict=True)
    ],
)


def _combined(combine: Callable) -> Callable:
    """A formula that makes ``combine(gradients of all ranks, sizes)`` of every parameter."""
    return lambda gradients, sizes: [
        combine(torch.stack(every), torch.tensor(sizes, dtype=every[0].dtype))
        for every in zip(*gradients, strict=True)
    ]


def _weighed(every: Tensor, sizes: Tensor) -> Tensor:
    return torch.tensordot(sizes, every, dims=1)


average_gradients.mistakes += table(
    ("the plain mean over the ranks", _combined(lambda every, sizes: every.mean(0)),
     "Every rank counts the same, however many images it had. The ranks' gradients are means: "
     "weigh each with its number of images."),
    ("the sum over the ranks", _combined(lambda every, sizes: every.sum(0)),
     "Added up, the gradients of N ranks are about N times too large, as if the learning rate "
     "were. The loss of the whole batch is a mean, too."),
    ("the sum over all images", _combined(_weighed),
     "Weighed with the numbers of images, and not divided by their sum."),
    ("a mean that is divided once too often",
     _combined(lambda every, sizes: _weighed(every, sizes) / sizes.sum() / len(sizes)),
     "It is divided by the number of all images, and by the number of ranks besides: once is "
     "enough."),
    ("the weighed sum, divided by the number of ranks",
     _combined(lambda every, sizes: _weighed(every, sizes) / len(sizes)),
     "Weighed with images, it has to be divided by images: by the sum of the sizes, not by the "
     "number of ranks."),
    ("the sum of means, divided by the number of images",
     _combined(lambda every, sizes: every.sum(0) / sizes.sum()),
     "The ranks' gradients are means already: multiply each with its size before you divide by the "
     "number of all images."),
    ("the first rank's gradient", _combined(lambda every, sizes: every[0].clone()),
     _combined(lambda every, sizes: sizes[0] / sizes.sum() * every[0]),
     "Only rank 0 enters. A return that stands inside the loop ends it in the first round."),
    ("the last rank's gradient", _combined(lambda every, sizes: every[-1].clone()),
     _combined(lambda every, sizes: sizes[-1] / sizes.sum() * every[-1]),
     "Every round of the loop overwrites what the one before had: an = where += is needed."),
    ("a mean in which the sizes are divided before they weigh, rounded down",
     _combined(lambda every, sizes: _weighed(every, sizes // sizes.sum())),
     "size // total is 0: // rounds down. Use /, or multiply first."),
)  # fmt: skip


# --- ring_all_reduce ------------------------------------------------------------------------


def _ring_all_reduce(chunks: list[list[Tensor]]) -> tuple[list[list[Tensor]], int]:
    """All at once. The bytes: of two rounds around the ring, without one step of each."""
    sums = [torch.stack(every).sum(0) for every in zip(*chunks, strict=True)]
    size = sum(chunk.nbytes for chunk in chunks[0])
    sent = 2 * (len(chunks) - 1) * size // len(chunks)
    return [[total.clone() for total in sums] for _ in chunks], sent


def _chunks_of(result, chunks: list[list[Tensor]]) -> list[list[Tensor]]:
    """Demand (chunks, bytes); return the chunks, a list a rank, of the shapes that were given."""
    result = _a_list(result, "The result of ring_all_reduce")
    if len(result) != 2 or isinstance(result[1], (list, tuple)):
        raise Wrong(
            f"The result of ring_all_reduce is {describe(result)}; expected the pair "
            "(chunks, bytes).",
            "Return both, in this order: the chunks of all ranks, and the bytes that one rank "
            "sent.",
        )
    ranks = [_a_list(own, "A rank's chunks") for own in _a_list(result[0], "The chunks")]
    if [len(own) for own in ranks] != [len(own) for own in chunks]:
        raise Wrong(
            f"The chunks are those of {len(ranks)} ranks, {[len(own) for own in ranks]} chunks "
            f"each; expected {len(chunks)} ranks with as many chunks.",
            "Afterwards every rank has all the sums: the result has a list for every rank.",
        )
    for own, given in zip(ranks, chunks, strict=True):
        for one, like in zip(own, given, strict=True):
            expect_tensor(
                one, like.shape, like.dtype, "A chunk of the result",
                "Chunks are added to chunks of the same number, and keep their shape.",
            )  # fmt: skip
    return ranks


def _in_a_row(result, chunks: list[list[Tensor]]) -> Tensor:
    return torch.cat([one.flatten() for own in _chunks_of(result, chunks) for one in own])


ring_all_reduce = Read(
    "ring_all_reduce",
    NOTEBOOK,
    3,
    _ring_all_reduce,
    read=_in_a_row,
    idea="First N - 1 rounds that add: in round s every rank sends chunk (rank - s) mod N to its "
    "neighbour, which adds it to its own. Then N - 1 rounds that replace: now rank r has the whole "
    "sum of chunk (r + 1) mod N, and hands on chunk (rank + 1 - s) mod N.",
    hint="Take three ranks with one number a chunk, and write down who holds what after each "
    "round.",
)


def _numbers(ranks: int, length: int = 1, dtype: torch.dtype = torch.float32) -> list:
    """Chunks in which every sum of some ranks is another number."""
    return [
        [torch.full((length,), 10.0**r * (c + 1), dtype=dtype) for c in range(ranks)]
        for r in range(ranks)
    ]


_uneven = [[r + torch.arange(3.0), 10.0 * r + torch.arange(1.0)] for r in (1, 2)]
for _chunks, _call in (
    (_numbers(2), "two ranks, [1], [2] and [10], [20]"),
    (_numbers(3), "three ranks, [1], [2], [3], ten and a hundred times that"),
    (_numbers(4, 2, torch.float64), "four ranks with chunks of two numbers"),
):
    ring_all_reduce.probe(_chunks, call=f"ring_all_reduce of {_call}")
ring_all_reduce.probe(
    _uneven,
    call="ring_all_reduce of two ranks with chunks of 3 and 1 numbers",
    failed="Chunks need not be equally long: chunk c of one rank is as long as chunk c of the "
    "others, no more. So a rank's chunks stay a list.",
)
ring_all_reduce.probe(
    _numbers(1),
    call="ring_all_reduce of a single rank",
    hint="A rank that is alone has the sum already, and nothing to send.",
    trap=lambda chunks: _ring(chunks, first=max(1, len(chunks) - 1)),
)


def _ring(
    chunks, first: int | None = None, second: int | None = None, *, to=1, start=1, add=False
) -> tuple[list[list[Tensor]], int]:
    """The ring with a mistake built in.

    Args:
        first, second: rounds that add, and that hand on; N - 1 of each are right.
        to: whom a rank sends to, its neighbour at the right.
        start: which chunk, counted from its own, a rank hands on first.
        add: hand on by adding.
    """
    ranks = len(chunks)
    held = [[chunk.clone() for chunk in own] for own in chunks]
    rounds = [(s, True) for s in range(ranks - 1 if first is None else first)]
    rounds += [(s - start, add) for s in range(ranks - 1 if second is None else second)]
    for shift, adds in rounds:
        sent = [own[(rank - shift) % ranks].clone() for rank, own in enumerate(held)]
        for rank, chunk in enumerate(sent):
            other, place = held[(rank + to) % ranks], (rank - shift) % ranks
            other[place] = other[place] + chunk if adds else chunk
    return held, 0


def _every(chunks, combine: Callable) -> tuple[list[list[Tensor]], int]:
    made = [combine(torch.stack(every)) for every in zip(*chunks, strict=True)]
    return [[one.clone() for one in made] for _ in chunks], 0


ring_all_reduce.mistakes += table(
    ("the chunks as they were",
     lambda chunks: ([[chunk.clone() for chunk in own] for own in chunks], 0),
     "Nothing has been added up. A list that is copied, changed and then forgotten stays at home: "
     "return the one that you changed."),
    ("the mean over the ranks", lambda chunks: _every(chunks, lambda every: every.mean(0)),
     "All-reduce gives sums. Dividing by the number of ranks is another step, and not asked for "
     "here."),
    ("the ranks' own chunks, collected",
     lambda chunks: ([[chunks[c][c].clone() for c in range(len(chunks))] for _ in chunks], 0),
     lambda chunks: _ring(chunks, first=0, start=0),
     "Nothing is added up in the first half, or the second half begins with the wrong chunk. After "
     "the first, rank r has finished chunk (r + 1) mod N, not its own: that one is handed on."),
    ("what the ranks have after the first half", lambda chunks: _ring(chunks, second=0),
     "After the rounds that add, each rank has the whole sum of one chunk only. N - 1 further "
     "rounds hand the sums on."),
    ("the ring with a round too few", lambda chunks: _ring(chunks, first=max(0, len(chunks) - 2)),
     lambda chunks: _ring(chunks, second=max(0, len(chunks) - 2)),
     lambda chunks: _ring(chunks, *2 * (max(0, len(chunks) - 2),)),
     "A chunk has to pass N - 1 neighbours to collect all N, and N - 1 again until all have it."),
    ("a ring that adds in its second half, too", lambda chunks: _ring(chunks, add=True),
     "What is handed on in the second half is a finished sum: it replaces what is there."),
    ("a ring that turns the wrong way round", lambda chunks: _ring(chunks, to=-1),
     "Chunk (rank - s) mod N goes to the neighbour at the right, (rank + 1) mod N. To the left it "
     "would meet another chunk than the one that waits for it."),
    ("the sums on one rank, the others as they were",
     lambda chunks: (
         [_every(chunks, lambda every: every.sum(0))[0][0]]
         + [[chunk.clone() for chunk in own] for own in chunks[1:]],
         0,
     ),
     "That is a reduce: one rank has the sums. All of them need the sums."),
)  # fmt: skip

# The bytes are judged where the sums are right, and every rank sends the same.
_bytes_sent = Values(
    "ring_all_reduce",
    NOTEBOOK,
    0,
    lambda chunks: _ring_all_reduce(chunks)[1],
    idea="",
    hint="In each of its 2 (N - 1) rounds a rank sends one chunk, of numel() · element_size() "
    "bytes.",
)
for _chunks, _call in (
    (_numbers(2), "two ranks, chunks of one float32"),
    (_numbers(3, 5), "three ranks, chunks of five float32"),
    (_numbers(4, 2, torch.float64), "four ranks, chunks of two float64"),
    (_uneven, "two ranks, chunks of 3 and 1 float32"),
):
    _bytes_sent.probe(_chunks, call=f"The bytes of ring_all_reduce of {_call}")
_bytes_sent.probe(
    _numbers(1),
    call="The bytes of ring_all_reduce of a single rank",
    hint="A single rank has no neighbour, and sends 0 bytes.",
    trap=lambda chunks: 2 * max(1, len(chunks) - 1) * _size(chunks) / len(chunks),
)


def _size(chunks) -> int:
    return sum(chunk.nbytes for chunk in chunks[0])


def _chunk(chunks) -> float:
    return _size(chunks) / len(chunks)


_bytes_sent.mistakes += table(
    ("the number of numbers",
     lambda c: 2 * (len(c) - 1) * sum(chunk.numel() for chunk in c[0]) / len(c),
     "A float32 has 4 bytes, a float64 has 8: chunk.numel() · chunk.element_size(), or "
     "chunk.nbytes."),
    ("right only where a number has 4 bytes",
     lambda c: 2 * (len(c) - 1) * 4 * sum(chunk.numel() for chunk in c[0]) / len(c),
     "Not every number has 4 bytes: chunk.element_size() says how many these have."),
    ("N times too many", lambda c: 2 * (len(c) - 1) * _size(c),
     "Asked for is what one rank sends, and in a round that is a single chunk: not the whole "
     "tensor, and not what all ranks send together."),
    ("the bytes of one half", lambda c: (len(c) - 1) * _chunk(c),
     "Both halves send: N - 1 chunks in the rounds that add, and N - 1 in those that hand on."),
    ("what it takes to send everything to everybody", lambda c: (len(c) - 1) * _size(c),
     "Around a ring a rank sends only chunks, 2 (N - 1) of them, each the N-th part of the tensor. "
     "That is less than the whole tensor to every other rank."),
    ("the bytes of too many rounds", lambda c: 2 * len(c) * _chunk(c),
     lambda c: (2 * len(c) - 1) * _chunk(c),
     "There are N - 1 rounds in each half, not N: after those every rank has heard from all "
     "others."),
    ("what is sent and what is received", lambda c: 4 * (len(c) - 1) * _chunk(c),
     "Asked for is what one rank sends. What it receives has been sent by another."),
    ("the number of messages", lambda c: 2 * (len(c) - 1),
     "That is how often something is sent. Count the bytes of each message."),
)  # fmt: skip


@ring_all_reduce.then
def _right_bytes(answer) -> str | None:
    _bytes_sent.examine(lambda chunks: answer(chunks)[1])
    ranks = ask(answer, _numbers(3), called="ring_all_reduce")[0]
    places = [chunk.untyped_storage().data_ptr() for own in ranks for chunk in own]
    if len(set(places)) < len(places):
        raise Wrong(
            "The sums are right, and several ranks hold one and the same tensor.",
            "Processes share no memory: what one rank changes in its chunk must not change "
            "another's. Hand on a copy, .clone().",
        )
    return _a_word_on_the_order(answer)


def _a_word_on_the_order(answer) -> str | None:
    """In 32 bits a sum depends on its order; around a ring each chunk has an order of its own."""
    values = (2.0**25, -(2.0**25), 1.0)
    chunks = [[torch.tensor([value]) for _ in values] for value in values]
    sums = {chunk.item() for chunk in ask(answer, chunks, called="ring_all_reduce")[0][0]}
    if len(sums) > 1:
        return None
    return (
        "Right, sums and bytes. (They look added up in one place, in one order: around a ring each "
        "chunk is summed from another rank on.)"
    )


# --- global_accuracy ------------------------------------------------------------------------


def _global_accuracy(correct: list[int], total: list[int]) -> float:
    """One process: what it would see, image by image."""
    answers = [torch.arange(t) < c for c, t in zip(correct, total, strict=True)]
    return torch.cat(answers).double().mean().item()


def _nine_digits(result, *_) -> float:
    return round(expect_number(result, "The accuracy"), 9)


global_accuracy = Read(
    "global_accuracy",
    NOTEBOOK,
    2,
    _global_accuracy,
    read=_nine_digits,
    idea="Add up the right answers of all ranks, add up their images, and divide once, at the end.",
    hint="Accuracy is right answers divided by images. Count both over all ranks first.",
)

for _correct, _total in (
    ([6, 5], [8, 8]),
    ([1, 5], [2, 8]),
    ([3, 0, 4], [7, 3, 5]),
    ([7], [9]),
    ([2, 2, 2, 1], [2, 2, 2, 2]),
    ([1, 333], [3, 999]),
    ([30, 10, 2], [40, 40, 7]),
):
    global_accuracy.probe(_correct, _total)
global_accuracy.probe(
    *([5, 0], [8, 0]),
    hint="A rank may have no images at all. Divide once, by the number of all images, and there is "
    "no division by zero.",
    trap=lambda correct, total: (
        sum(c / t * t for c, t in zip(correct, total, strict=True)) / sum(total)
    ),
)

global_accuracy.mistakes += table(
    ("the mean of the ranks' accuracies",
     lambda correct, total: sum(c / t for c, t in zip(correct, total, strict=True)) / len(total),
     "A rank with few images counts as much as one with many. Add up right answers and images "
     "first, divide then."),
    ("the sum of the ranks' accuracies",
     lambda correct, total: sum(c / t for c, t in zip(correct, total, strict=True)),
     "Accuracies cannot be added up, they would exceed 1. Counts can: right answers, and images."),
    ("the accuracy of one rank", lambda correct, total: correct[0] / total[0],
     lambda correct, total: correct[-1] / total[-1],
     "Only one rank enters. Its images are a part of the test set; the others have seen the rest."),
    ("all right answers, divided by the images of one rank",
     lambda correct, total: sum(correct) / total[0],
     lambda correct, total: sum(correct) / total[-1],
     "The right answers are those of all ranks, the images those of one: add up both."),
    ("the right answers of one rank, divided by all images",
     lambda correct, total: correct[0] / sum(total),
     lambda correct, total: correct[-1] / sum(total),
     "The images are those of all ranks, the right answers those of one: add up both."),
    ("an accuracy that counts images twice",
     lambda correct, total: sum(correct) / (max(total) * len(total)),
     "All ranks are counted as if they had as many images as the largest. What a sampler repeats "
     "to make shards equal is no further image: divide by the sum of the totals."),
    ("the number of right answers for each rank", lambda correct, total: sum(correct) / len(total),
     "Divide by the number of images, not by the number of ranks."),
    ("rounded down to a whole number", lambda correct, total: sum(correct) // sum(total),
     "// rounds down, and int() does, too: an accuracy below 1 becomes 0. Use /."),
    ("the accuracy in percent", lambda correct, total: 100 * sum(correct) / sum(total),
     "A share between 0 and 1 is asked for."),
    ("the share of errors", lambda correct, total: 1 - sum(correct) / sum(total),
     "That is the share of wrong answers. Accuracy is that of right ones."),
    ("right in its first seven digits",
     lambda correct, total: (torch.tensor(correct).sum() / torch.tensor(total).sum()).item(),
     "Tensors divide in 32 bits. Python's own numbers have more digits: sum(...) of the lists, or "
     ".double()."),
)  # fmt: skip

EXERCISES = [shard, average_gradients, ring_all_reduce, global_accuracy]
