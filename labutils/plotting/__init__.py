# ruff: noqa: F401 - what is imported here is what the package offers
"""Every picture of the series: each takes plain data, draws it, and shows it with alt text.

Tensors, arrays and lists are all taken. What a picture says is computed from the data, so that the
alt text is as true as the picture. Nothing here touches matplotlib's settings, an open figure, or a
random generator of the notebook's own.

A picture of one's own is drawn with matplotlib as usual and ends in ``show(fig, alt=...)``. What
the explorers of :mod:`labutils.widgets` draw too (windows, volumes) is SVG, on a ``sheet.Sheet``.
"""

from .architectures import ilsvrc_timeline, mlp_layers, network_volumes
from .bars import bars_by_layer, ensemble_bars, probability_bars, value_bars
from .concepts import batch_order, pipeline_steps, residual_block, score_probability_loss
from .curves import activations_by_depth, double_softmax_gradient, function_curves, why_not_mse
from .figure import series_style, show
from .grids import convolution_example, dropout_mask, pooling_example
from .images import feature_maps, filters, image_grid
from .results import confusion_matrix, mistakes, per_class_accuracy, predictions
from .runs import loss_by_step, train_test_gap, training_curves
from .windows import convolution_window, receptive_field_stack
