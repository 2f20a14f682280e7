"""Pictures made of pictures: image grids, filters, feature maps."""

import numpy as np

from labutils.shapes.table import shape_text

from .figure import DPI, WIDTH, bare, new_figure, series_style, show, write
from .inputs import as_array, as_images, as_labels, same_length
from .words import listing, number, percent, plural, sentences


def tiles(images, titles=None, columns=8, title=""):
    """Return a figure of images side by side, each under its title.

    All are drawn on one axis in pixels of the screen, which is much faster than an axis for each.
    """
    columns = max(1, min(columns, len(images)))
    pitch = DPI * WIDTH / max(columns, 4)
    wide = 0.96 * pitch  # 96 pixels for eight in a row: 3 for each of 32
    high = wide * len(images[0]) / len(images[0][0])
    line_height = 16
    lines = 0 if titles is None else max(text.count("\n") + 1 for text in titles)
    step = high + 0.04 * pitch + line_height * lines
    top = 28 if title else 0
    width, height = pitch * columns, top + step * -(-len(images) // columns)
    fig = new_figure(height / DPI, width / DPI, layout=None)
    axis = fig.add_axes((0, 0, 1, 1))
    for index, image in enumerate(images):
        x, y = index % columns * pitch, top + index // columns * step + line_height * lines
        smooth = "nearest" if len(image) <= high else "antialiased"
        axis.imshow(image, extent=(x, x + wide, y + high, y), interpolation=smooth)
        if titles is not None:
            write(axis, x + wide / 2, y - 3, titles[index], va="bottom", linespacing=1.15)
    if title:
        axis.text(0, 4, title, va="top", fontsize=11, weight="bold")
    bare(axis, (0, width), (height, 0), equal=False)
    axis.set_aspect("auto")
    return fig


@series_style()
def image_grid(
    images, labels=None, classes=None, *, titles=None, columns=8, title="", mean=None, std=None
) -> None:
    """Show images side by side, each with its class name or title above.

    Args:
        images: uint8 or float, [N, H, W], [N, H, W, C] or [N, C, H, W], or a list of PIL images;
            see :func:`labutils.plotting.inputs.as_images`.
        labels: N whole numbers; ``classes`` names them.
        classes: names of the classes.
        titles: N texts, in place of labels.
        columns: images per row.
        mean, std: what the images were normalised with, if not to 0..1 or -1..1.

    Raises:
        ValueError: no image, labels without names, or another number of labels than images.
    """
    pixels = as_images(images, mean, std)
    if titles is None and labels is not None:
        titles = [str(classes[label]) for label in as_labels(labels, classes)]
    if titles is not None:
        titles = [str(text) for text in titles]
        same_length(images=pixels, titles=titles)
    said = f"{plural(len(pixels), 'image')} of {shape_text(pixels.shape[1:3])} pixels"
    if titles is not None:
        said += ": " + listing([text.replace("\n", " ") for text in titles], 32)
    fig = tiles(pixels, titles, columns, title)
    show(fig, alt=sentences(title, said))


@series_style()
def filters(weights, *, title="") -> None:
    """Show the filters of a first convolution as colour tiles; mid-grey is zero.

    Args:
        weights: [out_channels, C, k, k] with C = 1 or 3. All tiles share one scale.

    Raises:
        ValueError: deeper layers, whose filters have more channels than a picture has colours.
    """
    array = as_array(weights, "weights", ndim=4).astype(float)
    if array.shape[1] not in (1, 3):
        raise ValueError(
            f"weights have {array.shape[1]} input channels; only a first layer's filters "
            "([out, 1, k, k] or [out, 3, k, k]) can be shown as colours. "
            "For deeper layers look at feature_maps."
        )
    largest = abs(array).max() or 1.0
    pixels = as_images(0.5 + array.transpose(0, 2, 3, 1) / (2 * largest), name="weights")
    sizes = np.sqrt((array**2).sum(axis=(1, 2, 3)))
    side = array.shape[-1]
    said = (
        f"{plural(len(array), 'filter')} of {side}×{side} as "
        f"{'colour' if array.shape[1] == 3 else 'grey'} tiles, grey is zero; "
        f"weights from {number(array.min())} to {number(array.max())}"
    )
    extremes = ""
    if len(array) > 1:
        extremes = (
            f"Strongest is filter {sizes.argmax()} (norm {number(sizes.max())}), "
            f"weakest filter {sizes.argmin()} (norm {number(sizes.min())})"
        )
    titles = [str(index) for index in range(len(array))]
    fig = tiles(pixels, titles, title=title or "Filters, grey is zero")
    show(fig, alt=sentences(title, said, extremes))


@series_style()
def feature_maps(activations, *, image=None, title="", mean=None, std=None) -> None:
    """Show what each channel of a layer answers to one image, white is strong.

    Args:
        activations: [C, H, W] or [1, C, H, W], of one image. All maps share one scale.
        image: the input, shown first.
    """
    array = as_array(activations, "activations", ndim=(3, 4)).astype(float)
    if array.ndim == 4:
        if len(array) != 1:
            raise ValueError(
                f"activations hold {len(array)} images; give those of one, e.g. activations[0]"
            )
        array = array[0]
    low, high = min(0.0, array.min()), array.max()
    gray = (array - low) / ((high - low) or 1.0)
    pixels = list(as_images(gray))
    titles = [f"map {index}" for index in range(len(array))]
    beside = ""
    if image is not None:
        batch = image if getattr(image, "ndim", 3) == 4 else [image]
        pixels = [as_images(batch, mean, std)[0], *pixels]
        titles = ["input", *titles]
        beside = ", beside the input image"
    means = array.mean(axis=(1, 2))
    silent = int((abs(array).max(axis=(1, 2)) == 0).sum())
    said = [
        f"{plural(len(array), 'feature map')} of {shape_text(array.shape[1:])}{beside}",
        f"Map {means.argmax()} answers most on average ({number(means.max())})",
        f"{percent((array == 0).mean())} of all values are zero",
        f"{silent} of {len(array)} maps are zero everywhere" if silent else "",
    ]
    title_above = title or "Feature maps, white is strong"
    fig = tiles(pixels, titles, 8 if image is None else 9, title_above)
    show(fig, alt=sentences(title, *said))
