"""Every picture of the series. Each is shown through :func:`show`, with alt text for who cannot see it."""

import base64
import html
import io


def show(fig, *, alt: str) -> None:
    """Display a matplotlib figure with alt text, and close it.

    JupyterLab ignores alt text on ``image/png``, so the output carries an ``<img alt=...>`` as
    ``text/html`` beside the plain PNG, and the alt text itself as ``text/plain``.

    Args:
        fig: a ``matplotlib.figure.Figure``.
        alt: what a sighted reader takes from the picture, in a sentence or two.

    Raises:
        ValueError: ``alt`` is empty.
    """
    if not alt.strip():
        raise ValueError("show() got an empty alt text; say in a sentence what the picture shows")
    import matplotlib.pyplot as plt
    from IPython.display import display

    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", bbox_inches="tight")
    plt.close(fig)
    png = base64.b64encode(buffer.getvalue()).decode()
    img = f'<img src="data:image/png;base64,{png}" alt="{html.escape(alt, quote=True)}">'
    display({"text/html": img, "image/png": png, "text/plain": alt}, raw=True)
