"""The gated recurrent unit by hand."""

from __future__ import annotations

import numpy as np

from helo.cells.functions import namespace, sigmoid
from helo.hello.base import Hand, inner, parted, stacked, total

GATES = "rzn"


class GRU(Hand):
    """h_t = (1 - z_t) × n_t + z_t × h_{t-1}; b_m is the bias inside of the reset gate, b′_n in `helo.cells`."""

    name = "gru"
    parts = ("r", "z", "m", "n", "h")
    formulas = (
        ("r_t = sigmoid(W_r·x_t + R_r·h_{t-1} + b_r)", "the reset gate"),
        ("z_t = sigmoid(W_z·x_t + R_z·h_{t-1} + b_z)", "the update gate: what is kept"),
        ("m_t = R_n·h_{t-1} + b_m", "what the reset gate lets in"),
        ("n_t = tanh(W_n·x_t + b_n + r_t × m_t)", "the candidate"),
        ("h_t = (1 - z_t) × n_t + z_t × h_{t-1}", "the new state; h_0 is zeros"),
    )
    back_formulas = (
        ("dh = W_hy.T·dy + what t+1 sends", "h_t feeds y_t, and step t+1"),
        ("da_n = dh×(1-z_t)×(1-n_t²)", "through tanh"),
        ("dm = da_n×r_t", "the reset gate stands between"),
        ("da_z = dh×(h_{t-1}-n_t)×z_t×(1-z_t)", "sigmoid' = sigmoid×(1-sigmoid)"),
        ("da_r = da_n×m_t×r_t×(1-r_t)", ""),
        ("dW_hy += dy·h_t.T", "and db_y += dy"),
        ("dW_k += da_k·x_t.T", "and db_k += da_k"),
        ("dR_k += da_k·h_{t-1}.T", "of n with dm; and db_m += dm"),
        ("to t-1: dh×z_t + R_r.T·da_r", "first what is kept: no matrix there"),
        ("        + R_z.T·da_z + R_n.T·dm", ""),
    )

    def parameters(self, w):
        b = stacked(w, "b", GATES)
        none = 0 * w["b_m"]
        inside = namespace(b).concat([none, none, w["b_m"]])
        weights = {"weight_ih": stacked(w, "W", GATES), "weight_hh": stacked(w, "R", GATES)}
        return weights | {"bias_ih": b, "bias_hh": inside}

    def network(self, parameters):
        inside = parted(parameters["bias_hh"], GATES)
        stacks = {"W": parameters["weight_ih"], "R": parameters["weight_hh"], "b": parameters["bias_ih"]}
        w = {f"{m}_{k}": part for m, stack in stacks.items() for k, part in parted(stack, GATES).items()}
        return w | {"b_r": w["b_r"] + inside["r"], "b_z": w["b_z"] + inside["z"], "b_m": inside["n"]}

    def step(self, w, x, before, r):
        h = before["h"]
        reset = r(sigmoid(w["W_r"] @ x + w["R_r"] @ h + w["b_r"]))
        z = r(sigmoid(w["W_z"] @ x + w["R_z"] @ h + w["b_z"]))
        m = r(w["R_n"] @ h + w["b_m"])
        n = r(np.tanh(w["W_n"] @ x + w["b_n"] + reset * m))
        return {"r": reset, "z": z, "m": m, "n": n, "h": r((1 - z) * n + z * h)}

    def backward(self, w, d, x, before, now, later):
        r, z, m, n, h, dh = now["r"], now["z"], now["m"], now["n"], before["h"], later["h"]
        dn = dh * (1 - z) * (1 - n**2)
        da = {"r": dn * m * r * (1 - r), "z": dh * (h - n) * z * (1 - z), "n": dn}
        through = da | {"n": dn * r}  # what m gets: the reset gate stands between
        for k in GATES:
            d[f"W_{k}"] += np.outer(da[k], x)
            d[f"R_{k}"] += np.outer(through[k], h)
            d[f"b_{k}"] += da[k]
        d["b_m"] += through["n"]
        sends = {"h": dh * z + sum(w[f"R_{k}"].T @ through[k] for k in GATES)}
        return {"dh": dh, "da_n": dn, "dm": through["n"], "da_z": da["z"], "da_r": da["r"]}, sends

    def working(self, w, letter, before, now, k):
        for gate in "rz":
            recurrent = [] if before is None else inner(w[f"R_{gate}"], k, before["h"])
            a = total([(w[f"W_{gate}"][k, letter], "·1"), *recurrent, (w[f"b_{gate}"][k], "")])
            yield f"{gate}_t[{k}]", f"sigmoid({a})", now[gate][k]
        recurrent = [] if before is None else inner(w["R_n"], k, before["h"])
        yield f"m_t[{k}]", total([*recurrent, (w["b_m"][k], "")]), now["m"][k]
        outside = total([(w["W_n"][k, letter], "·1"), (w["b_n"][k], "")])
        yield f"n_t[{k}]", f"tanh({outside} + {now['r'][k]:.4f}·{now['m'][k]:.4f})", now["n"][k]
        kept = "" if before is None else f" + {now['z'][k]:.4f}·{before['h'][k]:.4f}"
        yield f"h_t[{k}]", f"(1 - {now['z'][k]:.4f})·{now['n'][k]:.4f}{kept}", now["h"][k]
