"""Two processes train one net, each on half of the rows, and get the losses of one process that has all rows.

`main` starts three processes on this machine: the first has no rows and only brings the other two together, since JAX
ends all processes if it ends. On a cluster, the scheduler starts them.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time

from autograd_spiral import capture, grad, xla
from autograd_spiral.spiral import published


def train(rows=slice(None), executor=None, steps=201):
    X, y, _, net = published.start(seed=0)
    parameters = net.parameters()

    @capture(executor=executor)
    def step(X, y):
        loss = net.loss(X, y, published.REG)
        for parameter, gradient in zip(parameters, grad(loss, parameters), strict=True):
            parameter.assign(parameter - published.STEP_SIZE * gradient)
        return loss

    return [float(step(X[rows], y[rows])) for _ in range(steps)]


def take_part(address, number):
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # on CPUs
    jax.config.update("jax_enable_recoverability", True)  # otherwise JAX ends a process that has lost another one
    jax.distributed.initialize(address, num_processes=3, process_id=number, coordinator_bind_address=address)
    devices = [device for device in jax.devices() if device.process_index > 0]  # all processes must ask for them
    if number == 0:
        time.sleep(3600)  # main ends it
    losses = train(slice(number - 1, None, 2), xla(devices))
    if number == 1:
        alone = train()
        for i in range(0, len(losses), 20):
            print(f"step {i}: loss {losses[i]:.15f} in two processes, {alone[i]:.15f} in one")
        print(f"largest difference: {max(abs(a - b) for a, b in zip(losses, alone, strict=True)):.1e}")


def main():
    with socket.create_server(("127.0.0.1", 0)) as free:
        command = [sys.executable, __file__, f"127.0.0.1:{free.getsockname()[1]}"]
    how = {"stdout": subprocess.PIPE, "text": True, "env": {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}}
    first, *others = [subprocess.Popen([*command, str(number)], **how) for number in range(3)]
    print(others[0].communicate()[0], end="")
    first.kill()
    sys.exit(any(process.wait() for process in others))


if __name__ == "__main__" and importlib.util.find_spec("jax") is None:
    print("this demo needs JAX: pip install 'autograd-spiral[xla]'")
elif __name__ == "__main__":
    take_part(sys.argv[1], int(sys.argv[2])) if sys.argv[1:] else main()
