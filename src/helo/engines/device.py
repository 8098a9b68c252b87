"""Where the arrays of a training live: the one way there and the one way back.

On an accelerator nothing waits for anything until a number is read: batches go there from pinned memory, numbers come
back when they are ready, and a step whose shapes were seen a few times is captured as one CUDA graph and replayed.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helo import progress
from helo.engines.torch import hosts, moved
from helo.errors import HeloError

AHEAD = 4  # steps that may be under way on an accelerator while the next ones are prepared
SEEN = 3  # plain runs of a step of one shape before it is captured: kernels are chosen and memory taken in these
MOST = 32  # graphs at most; steps of further shapes stay plain


@dataclass(frozen=True)
class Device:
    """A device and the precision of products on it. Parameters, states and sums stay in float32."""

    at: torch.device
    precision: torch.dtype

    @classmethod
    def here(cls, name: str = "auto", precision: str = "auto", number: int = 0) -> Device:
        """The fastest there is, or the one that is asked for: auto, cpu, cuda. number: which, where there are several.

        Raises HeloError where there is none, or where its kernels have no such precision.
        """
        cuda = name != "cpu" and torch.cuda.is_available()
        if name == "cuda" and not cuda:
            raise HeloError("this computer has no CUDA device", mend="omit --device", where="--device cuda")
        at = torch.device("cpu")
        if cuda:
            count = torch.cuda.device_count()
            if not 0 <= number < count:
                raise HeloError(
                    f"process {number} of this computer, which has {count} GPUs", expected="a GPU for each process",
                    mend="use fewer processes or --device cpu", where="LOCAL_RANK",
                )  # fmt: skip
            at = torch.device("cuda", number)
            torch.cuda.set_device(at)
            torch.backends.cuda.matmul.allow_tf32 = True
        return cls(at, _precision(precision, at))

    def __str__(self) -> str:
        return f"{self.at}, {str(self.precision).removeprefix('torch.')}"

    @property
    def accelerator(self) -> bool:
        """Whether it is other than the processor itself, so that reading a number from it takes a wait."""
        return self.at.type != "cpu"

    @property
    def captures(self) -> bool:
        """Whether steps can be captured on it."""
        return self.at.type == "cuda"

    def autocast(self) -> AbstractContextManager[Any]:
        """Products in the chosen precision; parameters, states and sums stay in float32."""
        return nullcontext() if self.precision == torch.float32 else torch.autocast(self.at.type, self.precision)

    # There and back.

    def put(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """Arrays as tensors there; nothing waits until they have arrived."""
        return {n: moved(torch.from_numpy(np.asarray(a, order="C")), self.at) for n, a in arrays.items()}

    def own(self, array: np.ndarray) -> Tensor:
        """A tensor there in memory of torch's own: a kernel may add in another order where the alignment is another."""
        return moved(torch.from_numpy(array).clone(), self.at)

    def back(self, tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        """Tensors as arrays, in one wait."""
        if not self.accelerator:
            return {n: t.detach().numpy() for n, t in tensors.items()}
        return dict(zip(tensors, hosts(list(tensors.values())), strict=True))

    def later(self, x: Tensor) -> Later:
        """A small tensor on its way back."""
        return Later(x.detach())

    @contextmanager
    def answers(self) -> Iterator[None]:
        """As answers are given: on an accelerator in the precision of training, else in float32, and without gradients."""
        with torch.no_grad(), self.autocast() if self.accelerator else nullcontext():
            yield

    @contextmanager
    def answering(self, parameters: Mapping[str, np.ndarray]) -> Iterator[dict[str, Tensor]]:
        """Parameters there, to answer with."""
        with self.answers():
            yield self.put(parameters)

    # What draws noise.

    def random(self) -> np.ndarray:
        """The state of what draws noise there."""
        cuda = self.at.type == "cuda"
        return (torch.cuda.get_rng_state(self.at) if cuda else torch.get_rng_state()).numpy()

    def set_random(self, saved: np.ndarray, otherwise: int) -> None:
        """Take it up. A state of another kind of device means nothing here: then noise is seeded by `otherwise`."""
        if saved.size != self.random().size:
            torch.manual_seed(otherwise)
        elif self.at.type == "cuda":
            torch.cuda.set_rng_state(torch.from_numpy(saved), self.at)
        else:
            torch.set_rng_state(torch.from_numpy(saved))

    @contextmanager
    def busy(self) -> Iterator[None]:
        """For the time of a training: all work goes to one stream of its own, as capturing asks for."""
        if self.at.type != "cuda":
            yield
            return
        stream = torch.cuda.Stream(self.at)
        stream.wait_stream(torch.cuda.current_stream(self.at))
        with torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream(self.at).wait_stream(stream)

    def steps(self, function: Callable[[dict[str, Tensor], Any], None]) -> Steps:
        """The way to run a step function many times."""
        return Steps(self, function)


class Later:
    """Numbers that a device is still computing. `ready` asks without waiting; `numbers` waits if it must."""

    def __init__(self, x: Tensor):
        self._event: Any = None
        if x.is_cuda:
            self._host = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
            self._host.copy_(x, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._host = x.cpu() if x.device.type != "cpu" else x.clone()

    @property
    def ready(self) -> bool:
        return self._event is None or self._event.query()

    def numbers(self) -> list[float]:
        if self._event is not None:
            self._event.synchronize()
        return self._host.tolist()


class Steps:
    """Runs function(arrays, key) for the batches of a training. The function computes on tensors alone, in place where
    anything lasts, and returns nothing; key is whatever else decides which operations it does.

    On a device that can, a step whose shapes and key were met `SEEN` times is captured: one graph over buffers that stay
    where they are, replayed from then on. Its result is that of the plain step.
    """

    def __init__(self, device: Device, function: Callable[[dict[str, Tensor], Any], None]):
        self.device, self.function = device, function
        self._met: dict[Any, int] = {}
        self._graphs: dict[Any, tuple[Any, dict[str, Tensor]]] = {}
        self._pool: Any = None
        self._capturing = device.captures
        self._under_way: deque[Any] = deque()

    def __call__(self, arrays: Mapping[str, np.ndarray], key: Any, fixed: bool = True) -> None:
        """One step. fixed: whether a step of this key always does the same operations, whatever the numbers are."""
        which = (key, *((n, a.shape, a.dtype.str) for n, a in arrays.items()))
        if which in self._graphs:
            graph, buffers = self._graphs[which]
            for name, array in arrays.items():
                buffers[name].copy_(torch.from_numpy(np.asarray(array, order="C")).pin_memory(), non_blocking=True)
            graph.replay()
        elif fixed and self._capturing and self._met.get(which, 0) >= SEEN and len(self._graphs) < MOST:
            self._capture(which, arrays, key)
        else:
            self._met[which] = self._met.get(which, 0) + 1
            self.function(self.device.put(arrays), key)
        self._wait()

    def _capture(self, which: Any, arrays: Mapping[str, np.ndarray], key: Any) -> None:
        buffers = {n: t.clone() for n, t in self.device.put(arrays).items()}
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=torch.cuda.current_stream(self.device.at)):
                self.function(buffers, key)
        except RuntimeError as error:  # a cell of a person's own may do what cannot be captured
            self._capturing = False
            progress.say(f"steps could not be captured and run more slowly: {str(error).splitlines()[0]}")
            torch.cuda.synchronize(self.device.at)
            self.function(buffers, key)
            return
        self._pool = graph.pool()
        self._graphs[which] = graph, buffers
        graph.replay()

    def _wait(self) -> None:
        """Not more than AHEAD steps are under way: a clock on this side then tells the device's own speed."""
        if not self.device.captures:
            return
        event = torch.cuda.Event()
        event.record()
        self._under_way.append(event)
        if len(self._under_way) > AHEAD:
            self._under_way.popleft().synchronize()


def _precision(name: str, at: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it natively (AMX or AVX-512 BF16; Ampere or later) and the fused
    recurrent kernel really runs in it; float32 elsewhere, where it would only be emulated.
    """
    if name == "float32":
        return torch.float32
    if at.type == "cuda":
        native = torch.cuda.get_device_capability(at)[0] >= 8
    else:
        native = bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    if native or name == "bfloat16":
        if _kernel_runs(at):
            return torch.bfloat16
        if name == "bfloat16":
            raise HeloError(
                "this processor does not support bfloat16", mend="omit --precision", where="--precision bfloat16"
            )
    return torch.float32


def _kernel_runs(at: torch.device) -> bool:
    x = torch.zeros(2, 3, 8, device=at)
    model = torch.nn.LSTM(8, 16, batch_first=True).to(at)
    try:
        with torch.autocast(at.type, torch.bfloat16):
            model(x)[0].sum().backward()
    except RuntimeError:
        return False
    return True


class Idle:
    """How many cores of this computer had nothing to do since a moment."""

    def __init__(self) -> None:
        self.mark()

    def mark(self) -> None:
        """From now on."""
        self.since, self.ticks = time.monotonic(), self._ticks()

    def cores(self) -> float:
        """Without bound where the system does not tell."""
        ticks, spent = self._ticks(), time.monotonic() - self.since
        if ticks is None or self.ticks is None or spent <= 0:
            return float("inf")
        return (ticks - self.ticks) / os.sysconf("SC_CLK_TCK") / spent

    @staticmethod
    def _ticks() -> int | None:
        """Of all cores together, in which they were idle, by Linux's count."""
        try:
            with open("/proc/stat", encoding="ascii") as file:
                return sum(int(n) for n in file.readline().split()[4:6])
        except (OSError, ValueError):
            return None


def symbols_per_second(device: Device) -> float:
    """Symbols a second that a captured step of a recurrent layer reads there, forward and backward, measured."""
    hidden, inputs, rows, steps = 512, 64, 32, 64
    model = torch.nn.LSTM(inputs, hidden, batch_first=True).to(device.at)
    x = torch.randn(rows, steps, inputs, device=device.at)
    random = device.random()

    def once(batch: dict[str, Tensor], key: Any) -> None:
        with device.autocast():
            model(batch["x"])[0].float().square().mean().backward()
        model.zero_grad()

    with device.busy():
        run, batch = device.steps(once), device.back({"x": x})
        for _ in range(SEEN + 2):
            run(batch, None)
        device.later(x[0, 0]).numbers()  # all before it is done when it is there
        start, count = time.perf_counter(), 20
        for _ in range(count):
            run(batch, None)
        device.later(x[0, 0]).numbers()
        took = (time.perf_counter() - start) / count
    device.set_random(random, 0)
    return rows * steps / took


def macs_per_second(device: Device) -> float:
    """Multiplications a second there in a fused recurrent layer, forward and backward, measured."""
    hidden, inputs, rows, steps = 256, 64, 32, 32
    model = torch.nn.LSTM(inputs, hidden, batch_first=True).to(device.at)
    x = torch.randn(rows, steps, inputs, device=device.at)
    times: list[float] = []
    random = device.random()

    def once() -> None:
        start = time.perf_counter()
        with device.autocast():
            loss = model(x)[0].float().square().mean()
        loss.backward()
        loss.item()
        times.append(time.perf_counter() - start)

    most, idle = torch.get_num_threads(), Idle()
    if not device.accelerator:  # with one thread first: many are slow where the cores are not theirs
        torch.set_num_threads(1)
        while len(times) < 6 or sum(times) < 0.1:
            once()
        torch.set_num_threads(most)
    if device.accelerator or (most > 1 and idle.cores() > 0.7):
        for _ in range(6):
            once()
            if times[-1] > 4 * min(times[1:] or times):
                break
    device.set_random(random, 0)
    return 3 * 4 * hidden * (hidden + inputs) * rows * steps / min(times)
