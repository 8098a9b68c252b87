"""The lecture's example, number by number: a small network learns to write "hello", or any word, with any of three cells.

lesson(seed, paint, example)   its five parts, line by line, as they are computed: forward, training, writing, autograd, chunks
numbers(seed, example)         the same as one object
written(seed, example)         what the trained network writes
example(word, cell)            another word, another cell

The example is that of Stanford's CS231n and of Karpathy's "The unreasonable effectiveness of recurrent neural networks".

base.py        an example: a word, a cell, weights of one digit
rnn.py …       a cell by hand: its step, and the chain rule through it
network.py     forward, loss, backpropagation through time whole and in chunks, training, writing
lesson.py      what is printed
layout.py      and how its lines are laid out
"""

from helo.hello.base import Example, example
from helo.hello.layout import plain
from helo.hello.lesson import lesson
from helo.hello.network import numbers, written

__all__ = ["Example", "example", "lesson", "numbers", "plain", "written"]
