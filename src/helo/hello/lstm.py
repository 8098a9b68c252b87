"""Long short-term memory by hand."""

from __future__ import annotations

import numpy as np

from helo.cells.functions import sigmoid
from helo.hello.base import Hand, inner, parted, stacked, total

GATES = "ifgo"


class LSTM(Hand):
    """c_t = f_t × c_{t-1} + i_t × g_t, h_t = o_t × tanh(c_t)"""

    name = "lstm"
    state = ("h", "c")
    parts = ("i", "f", "g", "o", "c", "h")
    formulas = (
        ("i_t = sigmoid(W_i·x_t + R_i·h_{t-1} + b_i)", "the input gate: what is written"),
        ("f_t = sigmoid(W_f·x_t + R_f·h_{t-1} + b_f)", "the forget gate: what is kept"),
        ("g_t = tanh(W_g·x_t + R_g·h_{t-1} + b_g)", "the candidate"),
        ("o_t = sigmoid(W_o·x_t + R_o·h_{t-1} + b_o)", "the output gate: what is shown"),
        ("c_t = f_t × c_{t-1} + i_t × g_t", "the memory; c_0 is zeros"),
        ("h_t = o_t × tanh(c_t)", "the state shown; h_0 is zeros"),
    )
    back_formulas = (
        ("dh = W_hy.T·dy + sum R_k.T·da_k", "h_t feeds y_t, and four maps of step t+1"),
        ("dc = dh×o_t×(1-tanh(c_t)²)", "c_t feeds h_t,"),
        ("     + dc×f_{t+1}", "and c_{t+1}: no matrix there"),
        ("da_i = dc×g_t×i_t×(1-i_t)", "sigmoid' = sigmoid×(1-sigmoid)"),
        ("da_f = dc×c_{t-1}×f_t×(1-f_t)", ""),
        ("da_g = dc×i_t×(1-g_t²)", "through tanh"),
        ("da_o = dh×tanh(c_t)×o_t×(1-o_t)", ""),
        ("dW_hy += dy·h_t.T", "and db_y += dy"),
        ("dW_k += da_k·x_t.T", "and dR_k += da_k·h_{t-1}.T, db_k += da_k"),
    )

    def parameters(self, w):
        b = stacked(w, "b", GATES)
        weights = {"weight_ih": stacked(w, "W", GATES), "weight_hh": stacked(w, "R", GATES)}
        return weights | {"bias_ih": b, "bias_hh": 0 * b}

    def network(self, parameters):
        biases = parameters["bias_ih"] + parameters["bias_hh"]
        stacks = {"W": parameters["weight_ih"], "R": parameters["weight_hh"], "b": biases}
        return {f"{m}_{k}": part for m, stack in stacks.items() for k, part in parted(stack, GATES).items()}

    def step(self, w, x, before, r):
        a = {k: w[f"W_{k}"] @ x + w[f"R_{k}"] @ before["h"] + w[f"b_{k}"] for k in GATES}
        i, f, g, o = r(sigmoid(a["i"])), r(sigmoid(a["f"])), r(np.tanh(a["g"])), r(sigmoid(a["o"]))
        c = r(f * before["c"] + i * g)
        return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": r(o * np.tanh(c))}

    def backward(self, w, d, x, before, now, later):
        i, f, g, o, output = now["i"], now["f"], now["g"], now["o"], np.tanh(now["c"])
        dh = later["h"]
        dc = later["c"] + dh * o * (1 - output**2)  # c goes two ways: to h, and on to the memory after
        da = {
            "i": dc * g * i * (1 - i),
            "f": dc * before["c"] * f * (1 - f),
            "g": dc * i * (1 - g**2),
            "o": dh * output * o * (1 - o),
        }
        for k, a in da.items():
            d[f"W_{k}"] += np.outer(a, x)
            d[f"R_{k}"] += np.outer(a, before["h"])
            d[f"b_{k}"] += a
        sends = {"h": sum(w[f"R_{k}"].T @ a for k, a in da.items()), "c": dc * f}
        return {"dh": dh, "dc": dc, **{f"da_{k}": a for k, a in da.items()}}, sends

    def working(self, w, letter, before, now, k):
        for gate in GATES:
            recurrent = [] if before is None else inner(w[f"R_{gate}"], k, before["h"])
            a = total([(w[f"W_{gate}"][k, letter], "·1"), *recurrent, (w[f"b_{gate}"][k], "")])
            yield f"{gate}_t[{k}]", f"{'tanh' if gate == 'g' else 'sigmoid'}({a})", now[gate][k]
        kept = "" if before is None else f"{now['f'][k]:.4f}·{before['c'][k]:.4f} + "
        yield f"c_t[{k}]", f"{kept}{now['i'][k]:.4f}·{now['g'][k]:.4f}", now["c"][k]
        yield f"h_t[{k}]", f"{now['o'][k]:.4f}·tanh({now['c'][k]:.4f})", now["h"][k]
