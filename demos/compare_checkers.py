"""Compare three gradient checkers: how many of 100 wrong gradients each of them finds.

The gradients belong to five models and were derived by hand in plain NumPy. The mistakes in them are in
tests/gradcheck/planted_faults.py; `--quick` uses only 5 of these. Mistakes that a checker does not find are listed at
the end. PyTorch and HIPS autograd are left out if they are not installed: `pip install torch autograd`.
"""

import re
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from autograd_spiral import check_against

sys.path.append(str(Path(__file__).parents[1] / "tests" / "gradcheck"))
from planted_faults import FAULTS


def this(loss, gradients, inputs):
    report = check_against(loss, gradients, *inputs.values(), raise_on_mismatch=False)
    return "\n".join(f"in {row.name}: {row.diagnosis}" for row in report.rows if row.verdict.fails)


def pytorch(loss, gradients, inputs):
    import torch

    class ByHand(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.arrays = [tensor.detach().numpy().copy() for tensor in tensors]
            return torch.tensor(loss(*ctx.arrays))

        @staticmethod
        def backward(ctx, ct):
            return tuple(ct * torch.as_tensor(np.array(g)) for g in gradients(*ctx.arrays).values())

    torch.autograd.gradcheck(ByHand.apply, [torch.tensor(x, requires_grad=True) for x in inputs.values()])


def hips(loss, gradients, inputs):
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    by_hand = primitive(lambda *args: loss(*args))
    defvjp(by_hand, *((lambda ans, *args, name=name: lambda ct: ct * gradients(*args)[name]) for name in inputs))
    for argnum in range(len(inputs)):
        check_grads(by_hand, argnum, modes=["rev"], order=1)(*inputs.values())


def found(check, *case):
    """Return what a check says, or an empty string if it passes."""
    try:
        return check(*case) or ""
    except Exception as error:
        return str(error) or type(error).__name__


warnings.simplefilter("ignore")
np.random.seed(0)  # noqa: NPY002  # HIPS autograd uses this generator for its directions
faults = FAULTS[::20] if "--quick" in sys.argv else FAULTS
models = {fault.model for fault in FAULTS}
print("| checker | mistakes found | mistakes named | correct gradients rejected | time |")
print("|---|---|---|---|---|")
passed = []
CHECKERS = {
    "this": (this, None),
    "torch.autograd.gradcheck": (pytorch, "torch"),
    "HIPS check_grads": (hips, "autograd"),
}
for name, (check, module) in CHECKERS.items():
    if module and not find_spec(module):
        print(f"| {name} | not installed | | | |")
        continue
    refused = sum(bool(found(check, model.loss, model.gradients, model.inputs)) for model in models)
    start = time.perf_counter()
    says = [(fault, found(check, fault.model.loss, fault.gradients(), fault.model.inputs)) for fault in faults]
    seconds = time.perf_counter() - start
    caught = sum(bool(text) for _, text in says)
    named = sum(bool(fault.says and re.search(fault.says, text)) for fault, text in says)
    print(f"| {name} | {caught} of {len(faults)} | {named} | {refused} of {len(models)} | {seconds:.1f} s |")
    passed += [f"{name} passes {fault.name}" for fault, text in says if not text]
print("\n".join(passed))
