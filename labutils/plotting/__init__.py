"""Every picture of the series: each takes plain data, draws it, and shows it with alt text.

Tensors, arrays and lists are all taken. What a picture says is computed from the data, so that the
alt text is as true as the picture. Nothing here touches matplotlib's settings, an open figure, or a
random generator of the notebook's own.

============ =========================================================================
images       ``image_grid``, ``filters``, ``feature_maps``
results      ``predictions``, ``mistakes``, ``confusion_matrix``, ``per_class_accuracy``
bars         ``probability_bars``, ``value_bars``, ``class_counts``, ``histogram``,
             ``bars_by_layer``, ``ensemble_bars``
curves       ``function_curves``, ``why_not_mse``, ``double_softmax_gradient``,
             ``training_curves``, ``train_test_gap``, ``activations_by_depth``
layers       ``convolution_window``, ``receptive_field_stack``, ``network_volumes``,
             ``mlp_layers``, ``ilsvrc_timeline``
concepts     ``score_probability_loss``, ``pipeline_steps``, ``convolution_example``,
             ``dropout_mask``, ``batch_order``
============ =========================================================================

A picture of one's own is drawn with matplotlib as usual and ends in ``show(fig, alt=...)``.
"""

from .bars import (
    bars_by_layer,
    class_counts,
    ensemble_bars,
    histogram,
    probability_bars,
    value_bars,
)
from .concepts import (
    batch_order,
    convolution_example,
    dropout_mask,
    pipeline_steps,
    score_probability_loss,
)
from .curves import (
    activations_by_depth,
    double_softmax_gradient,
    function_curves,
    train_test_gap,
    training_curves,
    why_not_mse,
)
from .figure import series_style, show
from .images import feature_maps, filters, image_grid
from .layers import (
    convolution_window,
    ilsvrc_timeline,
    mlp_layers,
    network_volumes,
    receptive_field_stack,
)
from .results import confusion_matrix, mistakes, per_class_accuracy, predictions

__all__ = [
    "activations_by_depth",
    "bars_by_layer",
    "batch_order",
    "class_counts",
    "confusion_matrix",
    "convolution_example",
    "convolution_window",
    "double_softmax_gradient",
    "dropout_mask",
    "ensemble_bars",
    "feature_maps",
    "filters",
    "function_curves",
    "histogram",
    "ilsvrc_timeline",
    "image_grid",
    "mistakes",
    "mlp_layers",
    "network_volumes",
    "per_class_accuracy",
    "pipeline_steps",
    "predictions",
    "probability_bars",
    "receptive_field_stack",
    "score_probability_loss",
    "series_style",
    "show",
    "train_test_gap",
    "training_curves",
    "value_bars",
    "why_not_mse",
]
