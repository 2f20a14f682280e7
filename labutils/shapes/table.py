"""The table of a network's layers, as text and as HTML."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """One layer of a :class:`Trace`; sizes are those of one image, without the batch dimension.

    Attributes:
        name: the layer's name in its model (``"features.0"``); a function that the model's
            ``forward`` calls has its own name behind its module's (``"layer1.0.add"``).
        kind: ``"Conv2d"`` for a module, ``"relu"`` for a function.
        kernel_size, stride, padding: of a convolution or pooling, one number a side, else None.
        output_shape: ``(C, H, W)`` or ``(F,)``.
        parameters: trainable or not; 0 where they were counted in an earlier row.
        macs: multiply-accumulates of convolutions and matrix products.
        memory: bytes of the output; 0 where it lies in the input's place (in place, or a view).
        receptive_field: side in input pixels, the longer one where they differ. It counts the
            padding, and so may exceed the image. None where it is not known.
        pixels: for each side of the image, the first and the last pixel that the output in the
            middle sees; those below 0 or beyond the image's end lie in the padding. None where
            they are not known.
    """

    name: str
    kind: str
    kernel_size: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    padding: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] = ()
    parameters: int = 0
    macs: int = 0
    memory: int = 0
    receptive_field: int | None = None
    pixels: tuple[tuple[int, int], ...] | None = None


_HEADERS = {
    "name": "layer",
    "kind": "kind",
    "kernel_size": "kernel",
    "stride": "stride",
    "padding": "pad",
    "output_shape": "output",
    "parameters": "parameters",
    "macs": "MACs",
    "memory": "bytes",
    "receptive_field": "field",
}


@dataclass(repr=False)
class Trace:
    """The layers of a network in order of execution, as :func:`labutils.shapes.trace` found them.

    ``unused_parameters`` counts those that the forward pass did not touch, such as GoogLeNet's
    auxiliary classifiers, which rest in evaluation mode. They are part of the total.
    """

    input_size: tuple[int, ...]
    rows: list[Row] = field(default_factory=list)
    unused_parameters: int = 0

    @property
    def total_parameters(self) -> int:
        return sum(row.parameters for row in self.rows) + self.unused_parameters

    @property
    def total_macs(self) -> int:
        return sum(row.macs for row in self.rows)

    @property
    def total_memory(self) -> int:
        """Bytes of all outputs together, for one image."""
        return sum(row.memory for row in self.rows)

    def volumes(self, *, short_names: bool = False) -> list[tuple[str, tuple[int, ...]]]:
        """Return (name, shape) of the input, the convolutions, poolings and linear layers.

        ``short_names`` numbers each kind from the input on: conv1, conv2, pool1, fc1.
        """
        layers = [row for row in self.rows if row.kernel_size or row.macs or "ool" in row.kind]
        names = _short_names(layers) if short_names else [row.name for row in layers]
        shapes = [row.output_shape for row in layers]
        return [("input", self.input_size), *zip(names, shapes, strict=True)]

    def table(self, columns: Sequence[str] = tuple(_HEADERS)) -> str:
        """Return the rows as aligned text, totals last.

        Args:
            columns: names of :class:`Row`'s attributes, in the order wanted.
        """
        lines = self._cells(columns)
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        texts = [
            "  ".join(
                cell.ljust(width) if column in ("name", "kind") else cell.rjust(width)
                for column, cell, width in zip(columns, line, widths, strict=True)
            ).rstrip()
            for line in lines
        ]
        rule = "-" * max(map(len, texts))
        return "\n".join([texts[0], rule, *texts[1:-1], rule, texts[-1]])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        header, *body, total = self._cells(tuple(_HEADERS))

        def line(cells: list[str]) -> str:
            first, *others = map(html.escape, cells)
            return f'<tr><th scope="row">{first}</th><td>' + "</td><td>".join(others) + "</td></tr>"

        columns = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
        return (
            f"<table><caption>Layers for an input of {shape_text(self.input_size)}</caption>"
            f"<thead><tr>{columns}</tr></thead><tbody>{''.join(map(line, body))}</tbody>"
            f"<tfoot>{line(total)}</tfoot></table>"
        )

    def _cells(self, columns: Sequence[str]) -> list[list[str]]:
        """Return header, rows and totals as text."""
        unknown = [column for column in columns if column not in _HEADERS]
        if unknown or not columns:
            raise ValueError(f"columns must be some of these, not {unknown}: {', '.join(_HEADERS)}")
        rows = list(self.rows)
        if self.unused_parameters:
            rows.append(Row("(not run)", "", parameters=self.unused_parameters))
        total = Row(
            "total",
            "",
            parameters=self.total_parameters,
            macs=self.total_macs,
            memory=self.total_memory,
        )
        lines = [[_text(getattr(row, column)) for column in columns] for row in [*rows, total]]
        return [[_HEADERS[column] for column in columns], *lines]


def _short_names(rows: Sequence[Row]) -> list[str]:
    words = {"conv": "conv", "pool": "pool", "linear": "fc"}
    names, count = [], Counter()
    for row in rows:
        kind = row.kind.lower()
        word = next((words[part] for part in words if part in kind), kind)
        count[word] += 1
        names.append(f"{word}{count[word]}")
    return names


def _text(value) -> str:
    if isinstance(value, tuple):
        return shape_text(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int) else value


def shape_text(sides: tuple[int, ...]) -> str:
    return "×".join(map(str, sides))
