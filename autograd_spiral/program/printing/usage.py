"""How to call a saved program: a comment above its text, with code that continues from the saved state."""

from __future__ import annotations

from pathlib import Path

from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.printing.names import identifier
from autograd_spiral.program.printing.source import Source, comment

__all__ = ["usage"]


def usage(program: Program, source: Source, path: Path) -> str:
    """Return the comment for `program`, whose text is saved in `path`, with its arrays next to it as .npz."""
    name, names, beside = program.name, source.names, path.with_suffix(".npz").name
    saved, state, batches = map(source.unique, ("saved", "state", "batches"))
    inputs = [names[value] for value in program.inputs]
    updated = tuple(names[value] for value, _ in program.updates)
    kept = len(program.state) > len(updated) or bool(source.constants)  # some arrays are the same in every call

    title, lines = "To call this:", [f"from {path.stem} import {name}"]
    if identifier(path.stem) != path.stem:
        lines = ["import runpy", "", f"{name} = runpy.run_path({path.name!r})[{name!r}]"]
    if updated or kept:
        title = (
            f"To {'go on from the state' if updated else 'call this with the arrays'} in {beside!r}, next to this file:"
        )
        lines = ["import numpy as np", *lines, "", f"{saved} = dict(np.load({beside!r}))"]
    if updated:
        lines.append(f"{state} = [{saved}.pop(name) for name in {updated}]")

    call = f"{name}({', '.join([*inputs, *[f'*{state}'] * bool(updated), *[f'**{saved}'] * kept])})"
    results = _outputs(program, source)
    if updated and not results:
        call = f"{state} = {call if len(updated) > 1 else f'[{call}]'}"  # a single result is not in a tuple
    elif results:
        call = f"{', '.join([*results, *[f'*{state}'] * bool(updated)])} = {call}"
    shapes = ", ".join(f"{names[value]} {comment(value)}" for value in program.inputs)
    loop = f"for {', '.join(inputs)} in {batches}:  # {shapes}" if inputs else "for _ in range(100):"
    lines += ["", loop, f"    {call}"] if inputs or updated else ["", call]
    return "".join(f"# {line}".rstrip() + "\n" for line in (title, "", *(f"    {line}" for line in lines), ""))


def _outputs(program: Program, source: Source) -> list[str]:
    """Return a name for each output; all of them differ from each other and from the names of the arguments."""
    taken = {source.names[value] for value in program.inputs}
    outputs = []
    for i, atom in enumerate(program.outputs):
        name = source.names.get(atom) if isinstance(atom, Value) else None
        outputs.append(source.unique(f"out{i + 1}") if name is None or name in taken else name)
        taken.add(outputs[-1])
    return outputs
