"""The plain recurrent network by hand."""

from __future__ import annotations

import numpy as np

from helo.hello.base import Hand, Network, inner, total

# Chosen so that the scores, rounded to one digit, are those of the lecture's picture, and so that whoever works with
# the digits on the screen gets the very digits that follow: no rounding is carried along (the tests check both).
LECTURE: Network = {
    "W_xh": np.array([[0.1, 1.1, 0.1, 0.4], [0.1, 0.9, 1.2, -0.6], [1.3, 0.4, 0.9, -0.3]]),
    "W_hh": np.array([[-0.4, 0.5, 1.0], [-1.4, -0.8, -0.1], [-1.5, 0.1, -0.1]]),
    "b": np.array([0.2, -0.2, 0.2]),
    "W_hy": np.array([[0.5, -0.4, 0.8], [1.3, -2.7, 2.2], [-2.4, 0.8, -3.9], [1.2, -0.4, 4.2]]),
    "b_y": np.array([0.1, -0.4, 1.3, -0.1]),
}


class RNN(Hand):
    """h_t = tanh(W_xh·x_t + W_hh·h_{t-1} + b)"""

    name = "rnn"
    hidden = 3
    formulas = (("h_t = tanh(W_xh·x_t + W_hh·h_{t-1} + b)", "the new state; h_0 is zeros"),)
    back_formulas = (
        ("dh = W_hy.T·dy + W_hh.T·da", "h_t feeds y_t, and step t+1, whose da it is"),
        ("da = (1 - h_t²)·dh", "through tanh"),
        ("dW_hy += dy·h_t.T", "and db_y += dy"),
        ("dW_xh += da·x_t.T", "and dW_hh += da·h_{t-1}.T, db += da"),
    )

    def parameters(self, w):
        return {"weight_ih": w["W_xh"], "weight_hh": w["W_hh"], "bias_ih": w["b"], "bias_hh": 0 * w["b"]}

    def network(self, parameters):
        p = {k: v.astype(np.float64) for k, v in parameters.items()}
        return {"W_xh": p["weight_ih"], "W_hh": p["weight_hh"], "b": p["bias_ih"] + p["bias_hh"]}

    def step(self, w, x, before, r):
        return {"h": r(np.tanh(w["W_xh"] @ x + w["W_hh"] @ before["h"] + w["b"]))}

    def backward(self, w, d, x, before, now, later):
        da = (1 - now["h"] ** 2) * later["h"]  # h = tanh(a), and tanh' = 1 - tanh²
        d["W_xh"] += np.outer(da, x)  # a = W_xh x + W_hh h_before + b
        d["W_hh"] += np.outer(da, before["h"])
        d["b"] += da
        return {"dh": later["h"], "da": da}, {"h": w["W_hh"].T @ da}

    def working(self, w, letter, before, now, k):
        recurrent = [] if before is None else inner(w["W_hh"], k, before["h"])
        state = total([(w["W_xh"][k, letter], "·1"), *recurrent, (w["b"][k], "")])
        yield f"h[{k}]", f"tanh({state})", now["h"][k]
