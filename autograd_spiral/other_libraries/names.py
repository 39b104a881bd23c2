"""What to write instead of names of other libraries that this package lacks: `autograd_spiral.nn`."""

from __future__ import annotations

import numpy as np

from autograd_spiral.engine.messages import INSTEAD
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.other_libraries.attributes import CALLS, IN_MEMORY, call_of

__all__ = ["ON_THE_PACKAGE", "instead_on_the_package"]

_LAYER = "write X @ W + b, where W and b are Tensor(data, requires_grad=True)"
_MODEL = (
    "a model is a dict, list or dataclass of tensors: write functions of it, as in autograd_spiral.spiral.TwoLayerNet"
)
_STEP = "write p.assign(p - step_size * dp) for p, dp in zip(parameters, grad(loss, parameters))"
_SCHEDULE = "which Adam and SGD take as their learning rate"
_LEAF = "write Tensor(data, requires_grad=True)"
_RULE = "declare an operation and its gradient rules with @primitive(lambda ct, out, x: …)"
_SAVE = "write np.savez(file, W=W, b=b), or np.savez(file, **net) for a dict; to restore, W.assign(np.load(file)['W'])"
_PAGE = "as docs/train_your_own.md shows"
_TREE = (
    "write {name: f(p) for name, p in net.items()} for a dict; for other containers, named_parameters(net) is a dict "
    "of the tensors, and flatten(arrays) gives one vector and a function that turns it back"
)
_RNG = "write rng = np.random.default_rng(seed), and draw all random numbers from it, outside captured steps"
_BINARY = "write np.mean(softplus(scores) - labels * scores)"
_CLASSES = "write softmax_cross_entropy(scores, labels)"

_HINTS = {
    # models
    "Dense Linear linear": _LAYER,
    "Model Module ModuleDict ModuleList ParameterList Sequential flax haiku keras layers nn": _MODEL,
    "Conv1d Conv2d Conv3d conv conv1d conv2d conv3d": (
        "write windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2)), and multiply "
        "by the filters with np.einsum: see demos/convolutional_net.py"
    ),
    "MaxPool2d max_pool max_pool2d": (
        "write np.max(images.reshape(n, height // 2, 2, width // 2, 2, k), axis=(2, 4)): see demos/convolutional_net.py"
    ),
    "AvgPool2d avg_pool avg_pool2d": (
        "write np.mean(images.reshape(n, height // 2, 2, width // 2, 2, k), axis=(2, 4))"
    ),
    "BatchNorm BatchNorm1d BatchNorm2d BatchNormalization batch_norm": (
        "write (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5), and keep running statistics in Tensors, "
        f"{_PAGE}"
    ),
    "LayerNorm LayerNormalization layer_norm standardize": (
        "write (x - np.mean(x, axis=-1, keepdims=True)) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)"
    ),
    "Embedding embedding": "write table[indices], where table is Tensor(data, requires_grad=True)",
    "Flatten": "write X.reshape(len(X), -1)",
    "GRU LSTM RNN": "write the cell's formula in a loop over the steps, such as h = np.tanh(x[i] @ W + h @ U + b)",
    "MultiheadAttention dot_product_attention scaled_dot_product_attention": (
        "write softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])) @ v"
    ),
    "Dropout dropout": "write x * dropout_mask(rng, x.shape, rate), with a mask that is made outside a captured step",
    "Parameter Variable tensor": _LEAF,
    "Buffer as_tensor constant convert_to_tensor from_numpy": "write Tensor(data)",
    "init initializers kaiming_normal_ xavier_normal_ xavier_uniform_": (
        "write Tensor(rng.standard_normal((n, m)) * np.sqrt(2 / n), requires_grad=True)"
    ),
    # functions
    "F functional jnp numpy np": "write import numpy as np; its functions take Tensors",
    "ELU": "write elu(x)",
    "GELU": "write gelu(x)",
    "LeakyReLU": "write leaky_relu(x)",
    "LogSoftmax": "write log_softmax(x)",
    "ReLU": "write relu(x)",
    "SiLU swish": "write silu(x)",
    "Sigmoid": "write sigmoid(x)",
    "Softmax": "write softmax(x)",
    "Softplus": "write softplus(x)",
    "Tanh": "write np.tanh(x)",
    "LogSigmoid log_sigmoid logsigmoid": "write -softplus(-x)",
    "ReLU6 relu6": "write np.clip(x, 0, 6)",
    "Mish mish": "write x * np.tanh(softplus(x))",
    "SELU selu": "write 1.0507009873554805 * elu(x, 1.6732632423543772)",
    "PReLU prelu": "write np.where(x > 0, x, slope * x)",
    "hard_sigmoid hardsigmoid": "write np.clip(x / 6 + 0.5, 0, 1)",
    "hard_tanh hardtanh": "write np.clip(x, -1, 1)",
    "soft_sign softsign": "write x / (1 + np.abs(x))",
    "softmin": "write softmax(-x)",
    "normalize": "write x / np.linalg.norm(x, axis=-1, keepdims=True)",
    "cosine_similarity": ("write np.sum(x * y, axis=-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))"),
    "one_hot to_categorical": (
        "write Tensor(np.eye(classes))[labels]; softmax_cross_entropy needs no such rows, but takes the labels"
    ),
    "top_k": "write np.sort(x)[..., -k:], and np.argsort(x)[..., -k:] for the positions, in ascending order",
    # losses
    (
        "BCELoss BCEWithLogitsLoss BinaryCrossentropy binary_cross_entropy binary_cross_entropy_with_logits "
        "sigmoid_binary_cross_entropy"
    ): _BINARY,
    (
        "CrossEntropyLoss NLLLoss SparseCategoricalCrossentropy cross_entropy nll_loss "
        "softmax_cross_entropy_with_integer_labels sparse_categorical_crossentropy"
    ): _CLASSES,
    "CategoricalCrossentropy categorical_crossentropy": f"{_CLASSES}, with class numbers or rows of probabilities",
    "MSELoss MeanSquaredError mse_loss": "write mean_squared_error(prediction, target)",
    "L1Loss l1_loss": "write np.mean(np.abs(prediction - target))",
    "l2_loss": "write 0.5 * np.square(prediction - target)",
    "HuberLoss SmoothL1Loss huber_loss smooth_l1_loss": (
        "write np.mean(np.where(np.abs(d) < 1, 0.5 * d**2, np.abs(d) - 0.5)), where d is prediction - target"
    ),
    "KLDivLoss kl_div": "write np.sum(p * (np.log(p) - np.log(q)))",
    # training
    "Optimizer adam optim optimizer sgd": "write Adam(parameters) or SGD(parameters, learning_rate)",
    "AdamW adamw": "write Adam(parameters, learning_rate, weight_decay=0.01)",
    "Adagrad Lion RMSprop adagrad lion rmsprop": f"keep the averages in Tensors, and {_STEP}",
    "apply_updates": "write optimizer.update(grad(loss, parameters))",
    "CosineAnnealingLR CosineDecay cosine_decay_schedule": f"write cosine_decay(learning_rate, steps), {_SCHEDULE}",
    "ExponentialLR StepLR lr_scheduler": f"write exponential_decay(learning_rate, 0.5, steps), {_SCHEDULE}",
    "OneCycleLR warmup_cosine_decay_schedule": (
        f"write linear_warmup(100, cosine_decay(learning_rate, steps)), {_SCHEDULE}"
    ),
    "LambdaLR LinearLR MultiStepLR join_schedules linear_schedule piecewise_constant_schedule": (
        f"write lambda count: np.interp(count, [0, 100], [0.1, 0.01]), {_SCHEDULE}: a function of the number of updates"
    ),
    "ReduceLROnPlateau": "write optimizer.learning_rate = 0.5 * optimizer.learning_rate, when the loss no longer falls",
    "clip_by_global_norm clip_grad_norm_": "write clip_by_norm(gradients, max_norm)",
    "clip_grad_value_": "write np.clip(gradient, -limit, limit) for each gradient",
    "global_norm": "write np.linalg.norm(flatten(gradients)[0])",
    "ema incremental_update": f"keep the averages in Tensors, and assign to them after each update, {_PAGE}",
    "MultiSteps": f"add up the gradients of several batches before an update, {_PAGE}",
    "masked multi_transform": "write an optimizer for each group of parameters",
    "DataLoader TensorDataset": "write batches(rng, size, X, y), and loop over it",
    "load load_state_dict save state_dict": _SAVE,
    # derivatives
    "GradientTape autograd": "write grad(loss, parameters)",
    "Function custom_gradient custom_jvp custom_vjp defjvp defvjp": _RULE,
    "backward": "write loss.backward()",
    "check_grads": "write check_gradients(function, x)",
    "jacfwd jacrev": "write jacobian(function)(x)",
    "egrad": "write elementwise_grad(function)(x)",
    "linearize": "write jvp(function, (x,), (tangent,))",
    "detach stop_gradient": "write t.detach()",
    "enable_grad": "leave it out; operations are recorded outside `with no_grad():`",
    "inference_mode set_grad_enabled": "write with no_grad():",
    "detect_anomaly set_detect_anomaly": "write with blame():",
    "vmap": "leave it out; NumPy's functions broadcast over leading axes, and sums take axis=-1",
    # running
    "compile jit": "write capture(step), which records a step once and replays it",
    "disable_jit": "write step.eager(…), which calls a captured step without its program",
    "make_jaxpr": "write step.program, which is the program of a captured step, or step.source for its text",
    "checkpoint remat": (
        "write capture(step, executor=blocks()), which keeps no large layers in memory, since it computes blocks of "
        "rows one after another; to save a net, write np.savez(file, **named_parameters(net))"
    ),
    "DataParallel pmap shard_map": "write capture(step, executor=xla()): see docs/pictures_and_programs.md",
    "cond": "write np.where(condition, x, y)",
    "fori_loop scan while_loop": "write a loop of Python, whose operations are all recorded",
    "tree tree_flatten tree_leaves tree_map tree_unflatten tree_util": _TREE,
    "ravel_pytree": "write flatten(arrays)",
    "PRNGKey manual_seed random set_seed": _RNG,
    "rand randn random_normal": "write Tensor(np.random.default_rng(seed).standard_normal(shape))",
    "randint": "write rng.integers(classes, size=shape), with rng = np.random.default_rng(seed)",
    "randperm": "write rng.permutation(n), with rng = np.random.default_rng(seed)",
    "get_rng_state set_rng_state": "write rng.bit_generator.state, which can be saved, and set again",
    "block_until_ready device_put set_default_device": IN_MEMORY,
    "set_default_dtype": "leave it out; results have the dtypes of their operands: convert the data and the parameters",
    "is_tensor": "write isinstance(t, Tensor)",
    "cast": "write t.astype(dtype)",
    "reduce_max": "write np.max(t)",
    "reduce_mean": "write np.mean(t)",
    "reduce_sum": "write np.sum(t)",
    "testing": "write from autograd_spiral import testing; it needs hypothesis",
}
"""Maps names of other libraries, separated by spaces, to what to write instead."""

ON_THE_PACKAGE = {name: instead for names, instead in _HINTS.items() for name in names.split()}


def instead_on_the_package(name: str) -> str | None:
    """Return what to write instead of `autograd_spiral.name` if another library has that name, else None.

    >>> instead_on_the_package("tanh"), instead_on_the_package("cross_entropy"), instead_on_the_package("gard")
    ('write np.tanh(t)', 'write softmax_cross_entropy(scores, labels)', None)
    """
    if name in ON_THE_PACKAGE:
        return ON_THE_PACKAGE[name]
    if name in CALLS:
        return f"write {CALLS[name]}"
    value = getattr(np, name, getattr(np.linalg, name, None))
    if isinstance(value, float) or (isinstance(value, type) and issubclass(value, np.generic)):
        return f"write np.{name}"  # a constant, or a dtype
    if not callable(value) or not hasattr(value, "__name__") or name.startswith("_"):
        return None
    if value in INSTEAD:
        return f"write {INSTEAD[value]}"
    full = f"np.{name}" if hasattr(np, name) else f"np.linalg.{name}"
    return call_of(value, full) if value in PRIMITIVES or value in COMPOSITIONS else f"write {full}"
