"""Train one net in two processes, each with half of the rows. The losses are those of one process that has all rows.

`main` starts both processes, and a third one without rows. This is JAX's coordinator: if it ends, JAX ends all others.
"""

import importlib.util
import os
import socket
import subprocess
import sys

from autograd_spiral import capture, grad, xla
from autograd_spiral.spiral import published


def train(rows=slice(None), executor=None, steps=201):
    X, y, _, net = published.start(seed=0)

    @capture(executor=executor)
    def step(X, y):
        loss = net.loss(X, y, published.REG)
        for parameter, gradient in zip(net.parameters(), grad(loss, net.parameters()), strict=True):
            parameter.assign(parameter - published.STEP_SIZE * gradient)
        return loss

    return [float(step(X[rows], y[rows])) for _ in range(steps)]


def take_part(address, number):
    import jax

    jax.config.update("jax_enable_recoverability", True)  # otherwise JAX ends a process when another is lost
    jax.distributed.initialize(address, num_processes=3, process_id=number, coordinator_bind_address=address)
    devices = [device for device in jax.devices() if device.process_index > 0]  # every process must call jax.devices()
    if number == 0:
        return sys.stdin.read()  # until main closes it
    losses = train(slice(number - 1, None, 2), xla(devices))
    if number == 1:
        alone = train()
        for i in range(0, 201, 20):
            print(f"step {i}: loss {losses[i]:.15f} in two processes, {alone[i]:.15f} in one")
        print(f"largest difference: {max(abs(a - b) for a, b in zip(losses, alone, strict=True)):.1e}")


def main():
    if importlib.util.find_spec("jax") is None:
        return print("this demo needs JAX: pip install 'autograd-spiral[xla]'")
    with socket.create_server(("127.0.0.1", 0)) as free:
        command = [sys.executable, __file__, f"127.0.0.1:{free.getsockname()[1]}"]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # JAX logs errors only
    first = subprocess.Popen([*command, "0"], stdin=subprocess.PIPE)
    both = [subprocess.Popen([*command, number], stdout=subprocess.PIPE, text=True) for number in "21"]
    print(*(process.communicate()[0] for process in both), sep="", end="")
    first.communicate()
    sys.exit(any(process.returncode for process in (first, *both)))


if __name__ == "__main__":
    take_part(sys.argv[1], int(sys.argv[2])) if sys.argv[1:] else main()
