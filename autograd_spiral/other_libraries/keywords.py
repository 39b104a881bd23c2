"""What to write instead of keywords that functions of other libraries have, but those of this package lack."""

from __future__ import annotations

from autograd_spiral.engine.messages import KEYWORDS
from autograd_spiral.vocabulary.labels import IGNORING

_ALIVE = "leave it out, since a graph stays as long as its tensors"
_BOUNDED = "leave it out, since each difference has an error bound of its own"
_BUFFERS = "leave it out, since a program computes in buffers that it uses again at each call"
_CONSTANTS = "leave it out, since numbers and strings are constants already, and each value gets a program of its own"
_IN_TRAINING = "multiply by a mask in training only, and by 1.0 otherwise"
_LABELLED_ROWS = "leave it out, since each row of the scores, of shape (N, K), belongs to one label: reshape them"
_NEW_ARRAY = "leave it out, since the result is always a new array"
_SHAPES = "leave it out, since each combination of shapes and dtypes gets a program of its own"
_SMALLER_BATCH = "to skip a smaller last batch, write if len(y) < size: continue at the beginning of the loop's body"
_SMOOTHED = "write softmax_cross_entropy(scores, (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes)"
_WEIGHTED = (
    'write np.average(softmax_cross_entropy(scores, labels, reduction="none"), weights=…), with a weight for each row; '
    "the weights of the labels' classes are Tensor(class_weights)[labels]"
)
_XLA = "write executor=xla() to compile programs with XLA"

_INSTEAD = {
    "Tensor": {
        "device": "leave it out, since all tensors are NumPy arrays",
        "dtype": "write Tensor(np.asarray(data, dtype))",
    },
    "backward": {
        "create_graph": "write grad(loss, parameters, create_graph=True)",
        "gradient": "cotangent=",
        "inputs": "write grad(loss, inputs)",
        "retain_graph": _ALIVE,
    },
    "grad": {
        "allow_unused": "leave it out, since such an input gets zeros",
        "grad_outputs": "cotangents=",
        "retain_graph": _ALIVE,
    },
    "value_and_grad jacobian hessian elementwise_grad": {
        "argnum": "argnums=",
        "has_aux": "write loss, more = f(x), with a Tensor x that requires gradients, and then grad(loss, x)",
    },
    "elu": {"inplace": _NEW_ARRAY},
    "leaky_relu": {"alpha negative_slope": "slope=", "inplace": _NEW_ARRAY},
    "softmax_cross_entropy": {
        "axis dim": _LABELLED_ROWS,
        "from_logits": "leave it out, since the scores are logits",
        "ignore_index": IGNORING,
        "input logits": "scores=",
        "label_smoothing": _SMOOTHED,
        "sample_weight weight weights": _WEIGHTED,
        "target": "labels=",
    },
    "mean_squared_error": {
        "input y_pred": "prediction=",
        "reduction": 'write np.square(prediction - target) for "none", or its np.sum for "sum"',
        "y_true": "target=",
    },
    "capture": {
        "backend jit_compile": _XLA,
        "donate_argnames donate_argnums": _BUFFERS,
        "dynamic input_signature reduce_retracing": _SHAPES,
        "fullgraph": "leave it out, since a step is always recorded as a whole",
        "static_argnames static_argnums": _CONSTANTS,
    },
    "check_gradients check_against": {
        "atol rtol tol": _BOUNDED,
        "eps": "leave it out, since the step is chosen for each element",
        "raise_exception": "raise_on_mismatch=",
    },
    "Adam": {
        "alpha lr step_size": "learning_rate=",
        "b1": "beta1=",
        "b2": "beta2=",
        "betas": "beta1= and beta2=",
        "eps": "epsilon=",
        "params": "parameters=",
    },
    "SGD": {
        "alpha lr step_size": "learning_rate=",
        "params": "parameters=",
        "weight_decay": "write a penalty in the loss, such as 0.5 * decay * np.sum(W**2)",
    },
    "exponential_decay": {
        "decay_rate gamma": "factor=",
        "init_value initial_learning_rate lr": "initial=",
        "staircase": "write lambda count: initial * factor ** (count // steps), which is a schedule, too",
        "step_size transition_steps": "steps=",
    },
    "cosine_decay": {
        "T_max decay_steps": "steps=",
        "alpha": "write final=alpha * initial",
        "eta_min": "final=",
        "init_value initial_learning_rate lr": "initial=",
    },
    "linear_warmup": {"peak_value": "schedule=", "transition_steps warmup_steps": "steps="},
    "batches": {
        "batch_size": "size=",
        "drop_last drop_remainder": _SMALLER_BATCH,
        "generator key": "rng=",
        "num_workers": "leave it out, since the rows are taken from arrays in memory",
        "shuffle": "leave it out, since the order is always random",
    },
    "dropout_mask": {
        "deterministic training": _IN_TRAINING,
        "generator key": "rng=",
        "keep_prob": "write rate=1 - keep_prob",
        "p": "rate=",
    },
}
"""Maps functions to keywords, both separated by spaces, and these to what to write instead."""

for functions, keywords in _INSTEAD.items():
    for function in functions.split():
        KEYWORDS[function] = {name: instead for names, instead in keywords.items() for name in names.split()}
