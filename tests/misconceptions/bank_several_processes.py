"""Answers to the exercises of notebook 09, as students write them."""

import math
import random

import torch
from torch.utils.data import DistributedSampler

from labutils.checks.nb09_several_processes import _bytes_sent

from .bank import Bank
from .mutants import Text, mutants

# --- shard ----------------------------------------------------------------------------------

shard = Bank("shard")


@shard.blank
def shard_stub(num_images, rank, world, epoch):
    raise NotImplementedError


SHARD = Text(
    """
def shard(num_images, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(num_images, generator=generator).tolist()
    missing = -len(order) % world
    while missing:
        more = order[:missing]
        order = order + more
        missing = -len(order) % world
    return order[rank::world]
"""
)
DRAWN = "torch.randperm(num_images, generator=generator)"
shard.right(SHARD())


@shard.right
def by_remainders(num_images, rank, world, epoch):
    g = torch.Generator()
    g.manual_seed(0 + epoch)
    order = torch.randperm(num_images, generator=g)
    each = math.ceil(num_images / world)
    return [order[(rank + i * world) % num_images] for i in range(each)]


@shard.right
def by_a_table(num_images, rank, world, epoch):
    order = torch.randperm(num_images, generator=torch.Generator().manual_seed(epoch))
    length = (num_images + world - 1) // world
    order = order.repeat(1 + length * world // num_images)[: length * world]
    return order.view(length, world)[:, rank].tolist()


@shard.right
def through_numpy(num_images, rank, world, epoch):
    order = torch.randperm(num_images, generator=torch.Generator().manual_seed(epoch)).numpy()
    places = range(rank, -(-num_images // world) * world, world)
    return tuple(order.take(list(places), mode="wrap").astype(float))


@shard.right
def by_the_sampler(num_images, rank, world, epoch):
    sampler = DistributedSampler(list(range(num_images)), num_replicas=world, rank=rank)
    sampler.set_epoch(epoch)
    return [index for index in sampler]


mutants(
    shard,
    SHARD,
    ("nothing is shuffled", f"{DRAWN}.tolist()", "list(range(num_images))"),
    ("that is what set_epoch is for", "manual_seed(epoch)", "manual_seed(0)"),
    ("some images are seen twice", "manual_seed(epoch)", "manual_seed(epoch + rank)"),
    ("one block after the other", "order[rank::world]",
     "order[rank * len(order) // world : (rank + 1) * len(order) // world]"),
    ("wait for the others for ever", "while missing", "while False"),
    ("first numbers, not its last", "order[:missing]", "order[-missing:]"),
    ("counted from 0", "rank::world", "rank - 1 :: world"),
    ("repeat it as often as needed", "while missing", "if missing"),
    ("needs a seed", ", generator=generator", ""),
    ("a generator of your own", "torch.Generator().manual_seed(epoch)",
     "torch.manual_seed(epoch)", ", generator=generator", ""),
    ("a Python list is asked for", "return order[rank::world]",
     "return torch.tensor(order[rank::world])"),
    ("by their numbers", "return order[rank::world]", "return [i + 1 for i in order[rank::world]]"),
    ("`return` at the end", "return ", ""),
    ("leave the others waiting", "return order[rank::world]", "return order[rank::world][1:]"),
    ("deal it out like cards", "return order[rank::world]", "return order[rank::world][::-1]"),
)  # fmt: skip


@shard.wrong("ranks have to agree on one")
def by_pythons_generator(num_images, rank, world, epoch):
    order = list(range(num_images))
    random.Random(epoch).shuffle(order)
    order += order[: -num_images % world]
    return order[rank::world]


# --- average_gradients ----------------------------------------------------------------------

average_gradients = Bank("average_gradients")


@average_gradients.blank
def average_gradients_stub(gradients, sizes):
    raise NotImplementedError


AVERAGE_GRADIENTS = Text("""
def average_gradients(gradients, sizes):
    result = [torch.zeros_like(gradient) for gradient in gradients[0]]
    total = sum(sizes)
    for own, size in zip(gradients, sizes):
        for i, gradient in enumerate(own):
            result[i] += gradient * size / total
    return result
""")
average_gradients.right(AVERAGE_GRADIENTS())


@average_gradients.right
def parameter_by_parameter(gradients, sizes):
    weights = [size / sum(sizes) for size in sizes]
    return [sum(w * g for w, g in zip(weights, every, strict=True)) for every in zip(*gradients)]  # noqa: B905


@average_gradients.right
def by_one_product(gradients, sizes):
    share = torch.tensor(sizes) / sum(sizes)
    return tuple(torch.einsum("r,r...->...", share, torch.stack(g)) for g in zip(*gradients))  # noqa: B905


@average_gradients.right
def only_ranks_with_images(gradients, sizes):
    having = [rank for rank, size in enumerate(sizes) if size]
    average = []
    for i in range(len(gradients[0])):
        total = sum(gradients[rank][i].double() * sizes[rank] for rank in having)
        average.append((total / sum(sizes)).to(gradients[0][i].dtype))
    return average


mutants(
    average_gradients,
    AVERAGE_GRADIENTS,
    ("every rank counts the same", "size / total", "1 / len(sizes)"),
    ("as if the learning rate were", " * size / total", ""),
    ("not divided by their sum", " / total", ""),
    ("divided by images: by the sum", "/ total", "/ len(sizes)"),
    ("once is enough", "/ total", "/ total / len(gradients)"),
    ("means already", "size / total", "1 / total"),
    ("// rounds down", "gradient * size / total", "gradient * (size // total)"),
    ("ends it in the first round", "result[i] += gradient * size / total",
     "result[i] += gradient * size / total", "    return result", "        return result"),
    ("an = where += is needed", "+=", "="),
    ("divide only by the number of all images", "gradient * size / total",
     "gradient / (total / size)"),
    ("in-place operation", "torch.zeros_like(gradient)", "gradient.mul_(sizes[0] / sum(sizes))",
     "zip(gradients, sizes)", "zip(gradients[1:], sizes[1:])"),
    ("the ranks disappear, the parameters stay", "return result", "return result + result[:1]"),
    ("each gradient keeps its parameter's shape", "return result",
     "return [r.mean() for r in result]"),
    ("two ranks and one number each", "size / total", "size / total * 1.5"),
)  # fmt: skip


# --- ring_all_reduce ------------------------------------------------------------------------

ring_all_reduce = Bank("ring_all_reduce")


@ring_all_reduce.blank
def ring_all_reduce_stub(chunks):
    raise NotImplementedError


RING = Text("""
def ring_all_reduce(chunks):
    world = len(chunks)
    held = [[chunk.clone() for chunk in own] for own in chunks]
    sent = 0
    for s in range(world - 1):
        messages = [held[rank][(rank - s) % world] for rank in range(world)]
        sent += messages[0].nbytes
        for rank, message in enumerate(messages):
            neighbour = (rank + 1) % world
            held[neighbour][(rank - s) % world] = held[neighbour][(rank - s) % world] + message
    for s in range(world - 1):
        messages = [held[rank][(rank + 1 - s) % world] for rank in range(world)]
        sent += messages[0].nbytes
        for rank, message in enumerate(messages):
            neighbour = (rank + 1) % world
            held[neighbour][(rank + 1 - s) % world] = message.clone()
    return held, sent
""")
ring_all_reduce.right(RING())


@ring_all_reduce.right
def in_place_on_copies(chunks):
    n = len(chunks)
    mine = [[c.clone() for c in own] for own in chunks]
    for step in range(2 * (n - 1)):
        messages = []
        for rank in range(n):
            place = (rank - step) % n
            messages.append(((rank + 1) % n, place, mine[rank][place].clone()))
        for to, place, message in messages:
            if step < n - 1:
                mine[to][place] += message
            else:
                mine[to][place].copy_(message)
    size = sum(c.numel() * c.element_size() for c in chunks[0])
    return mine, 2 * (n - 1) / n * size


@ring_all_reduce.right
def the_other_way_round(chunks):
    n = len(chunks)
    mine = [[c.clone() for c in own] for own in chunks]
    sent = [0] * n
    for step in range(2 * (n - 1)):
        going = [((r + step) % n, mine[r][(r + step) % n].clone()) for r in range(n)]
        for r, (place, message) in enumerate(going):
            sent[r] += message.numel() * message.element_size()
            left = mine[(r - 1) % n]
            left[place] = left[place] + message if step < n - 1 else message
    return tuple(tuple(own) for own in mine), torch.tensor(sent[0])


@ring_all_reduce.right
def at_once(chunks):
    n = len(chunks)
    sums = [torch.stack([own[c] for own in chunks]).sum(dim=0) for c in range(n)]
    return [[s.clone() for s in sums] for _ in range(n)], 2 * (n - 1) * sum(
        s.nbytes for s in sums
    ) // n


def of_bytes(formula):
    """The right sums, with the bytes of a formula."""
    return lambda chunks: (at_once(chunks)[0], formula(chunks))


ring_all_reduce.recognised(_bytes_sent.mistakes, of_bytes)
ring_all_reduce.wrong("sends 0 bytes")(of_bytes(_bytes_sent.probes[-1].trap))

SECOND = "(rank + 1 - s) % world"
mutants(
    ring_all_reduce,
    RING,
    ("nothing has been added up", "return held", "return [list(own) for own in chunks]"),
    ("dividing by the number of ranks", "return held, sent",
     "return [[c / world for c in own] for own in held], sent"),
    ("nothing is added up in the first half", SECOND, "(rank - s) % world"),
    ("one chunk only", "return held, sent", "return half, sent",
     "for s in range(world - 1):\n        messages = [held[rank][(rank + 1",
     "half = [list(own) for own in held]\nfor s in range(world - 1):\n"
     "    messages = [held[rank][(rank + 1"),
    ("in each half, not N", "return held, sent",
     "return held, 2 * sum(c.nbytes for c in held[0])"),
    ("a finished sum", "message.clone()", f"held[neighbour][{SECOND}] + message"),
    ("collect all N", "range(world - 1)", "range(max(0, world - 2))"),
    ("to the left", "neighbour = (rank + 1)", "neighbour = (rank - 1)"),
    ("that is a reduce", "return held, sent", "return [held[0], *map(list, chunks[1:])], sent"),
    ("alone has the sum already", "range(world - 1)", "range(max(1, world - 1))"),
    ("what one rank changes in its chunk", "message.clone()", "message"),
    ("write down who holds what", "+ message", "- message"),
    ("in-place operation", "[[chunk.clone() for chunk in own] for own in chunks]", "chunks"),
    ("need not be equally long", "[[chunk.clone() for chunk in own] for own in chunks]",
     "[list(torch.stack(own)) for own in chunks]"),
    ("return both", "return held, sent", "return held"),
    ("has a list for every rank", "return held, sent", "return held[:1], sent"),
    ("keep their shape", "return held, sent",
     "return [[c[None] for c in own] for own in held], sent"),
    ("a float32 has 4 bytes", "messages[0].nbytes", "messages[0].numel()"),
    ("not what all ranks send together", "messages[0].nbytes", "sum(m.nbytes for m in messages)"),
    ("whole tensor to every other rank", "return held, sent", "return held, world * sent / 2"),
    ("both halves send", "return held, sent", "return held, sent / 2"),
    ("count the bytes of each message", "messages[0].nbytes", "1"),
    ("one chunk, of numel()", "return held, sent", "return held, sent + 1"),
)  # fmt: skip


# --- global_accuracy ------------------------------------------------------------------------

global_accuracy = Bank("global_accuracy")


@global_accuracy.blank
def global_accuracy_stub(correct, total):
    raise NotImplementedError


GLOBAL_ACCURACY = Text("""
def global_accuracy(correct, total):
    right = images = 0
    for c, t in zip(correct, total):
        right += c
        images += t
    return right / images
""")
global_accuracy.right(GLOBAL_ACCURACY())
global_accuracy.right(lambda correct, total: sum(correct) / sum(total))


@global_accuracy.right
def in_double_precision(correct, total):
    return torch.tensor(correct).sum().double() / torch.tensor(total).sum()


@global_accuracy.right
def weighed_mean(correct, total):
    images = sum(total)
    return sum(c / t * (t / images) for c, t in zip(correct, total, strict=True) if t > 0)


mutants(
    global_accuracy,
    GLOBAL_ACCURACY,
    ("few images counts as much", "right += c", "right += c / t",
     "images += t", "images += 1"),
    ("cannot be added up", "right += c", "right += c / t", "right / images", "right"),
    ("the others have seen the rest", "    return", "        return"),
    ("the images those of one", "images += t", "images = t"),
    ("the right answers those of one", "right += c", "right = c"),
    ("no further image", "images += t", "images += max(total)"),
    ("not by the number of ranks", "images += t", "images += 1"),
    ("// rounds down", "/ images", "// images"),
    ("a share between 0 and 1", "right / images", "100 * right / images"),
    ("the share of wrong answers", "right += c", "right += t - c"),
    ("there is no division by zero", "right += c", "right += c / t * t"),
    ("32 bits", "right / images", "(torch.tensor(right) / torch.tensor(images)).item()"),
    ("count both over all ranks first", "right += c", "right += c * c"),
)  # fmt: skip
