"""What the estimators share: their parameters, a training by `helo.train`, and the run folder that a pickle is made of."""

from __future__ import annotations

import inspect
import numbers
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from helo import tasks, training
from helo.data.readers import given, table
from helo.data.readers.captions import PICTURES
from helo.data.readers.clips import VIDEOS
from helo.data.readers.columns import LABELS, TEXTS
from helo.errors import HeloError, as_helo_error
from helo.options import Option, described
from helo.runs import Run

# Options of files, of which there are none here, and of what is not shown or kept.
NO_PART = frozenset(
    ("reader", "split_by", "text", "label", "multilabel", "ignore", "group", "order", "speaker", "column", "target", "encoder", "fps",
     "time", "known", "past", "repeated", "seed", "start", "save_seconds", "tensorboard", "samples")
)  # fmt: skip
OWN = {"random_state": None, "warm_start": False, "verbose": False}
OWN_HELP = {
    "random_state": "seed of weights, dropout and order: a whole number; None draws one from NumPy's",
    "warm_start": "`fit` goes on from the weights of the last one, with a tenth of the rates",
    "verbose": "show how the training goes",
}
LABEL = LABELS[0]  # the column of labels of a DataFrame without a name for them
_one_at_a_time = threading.Lock()  # threads share torch's random state, and each training is to have its own


class InvalidInput(HeloError, ValueError):
    """A HeloError that is a ValueError too, as scikit-learn's tools expect."""


def invalid(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose HeloErrors come out as `InvalidInput`, and so does what the machine refuses."""

    @wraps(method)
    def inside(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except InvalidInput:
            raise
        except (HeloError, OSError, MemoryError, RecursionError) as error:
            e = as_helo_error(error)
            assert e is not None
            option = e.flag.lstrip("-").replace("-", "_")  # which not every estimator has
            mend = e.mend if not option or hasattr(args[0], option) else ""
            raise InvalidInput(e.found, expected=e.expected, mend=mend, where=e.where) from error

    return inside


def fitting(method: Callable[..., Any]) -> Callable[..., Any]:
    """`fit`: as `invalid`; where it fails or is stopped, the estimator is what it was before."""
    method = invalid(method)

    @wraps(method)
    def inside(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return inside


class Trained:
    """A model of one of helo's tasks, trained on data from Python. Its parameters are the options of the task and of the training
    that have a part here, under their own names and with their own defaults; `seed` is called `random_state`.
    """

    task: ClassVar[str]
    left_out: ClassVar[frozenset[str]] = frozenset()  # of its options those that have no part here either
    budget: ClassVar[dict[str, Any]] = {"epochs": 100}  # where neither epochs nor minutes nor steps are given
    get_params: Callable[..., dict[str, Any]]  # of the base class
    _files: dict[str, bytes]  # the run folder
    _run: Run | None
    random_state: Any
    warm_start: bool
    verbose: bool

    def __init_subclass__(cls, **how: Any):
        super().__init_subclass__(**how)
        if "task" in vars(cls):
            options = [o for o in _options(cls.task) if o.name not in cls.left_out]
            cls.__init__ = _init({o.name: o.default for o in options} | OWN)
            said = {o.name: o.help for o in options} | OWN_HELP
            about = "\n".join(f"{name} : {text.partition('  [')[0]}" for name, text in said.items())
            cls.__doc__ = f"{cls.__doc__}\n    Parameters\n    ----------\n" + about

    def __init__(self, **options: Any):
        """options: by their names (`get_params`)."""
        super().__init__()

    # What a fit leaves.

    @property
    def run_(self) -> Run:
        """The trained model, as `helo.load` returns it."""
        self._is_there()
        if getattr(self, "_run", None) is None:
            with TemporaryDirectory(prefix="helo-") as home:
                _write(Path(home), self._files)
                self._run = self._read(Run(home))
        assert self._run is not None
        return self._run

    @invalid
    def save_run(self, path: str | Path) -> Run:
        """Write the model as a run folder, which every command of helo takes."""
        self._is_there()
        if Path(path).exists():
            raise InvalidInput("something of that name exists already", expected="a new name", where=path)
        _write(Path(path), self._files)
        return Run(path)

    def __getstate__(self):
        state: Any = super().__getstate__()
        return {k: v for k, v in state.items() if k != "_run"}

    def _is_there(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"this {type(self).__name__} is not trained yet: call fit first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_files")

    # How it is trained.

    def _train(self, data: Any, valid: Any = None, **more: Any) -> Self:
        """Train on data as `helo.train` takes it. valid: likewise, to validate on. more: options that follow from the data."""
        for name in ("warm_start", "verbose"):
            if not isinstance(on := getattr(self, name), bool | np.bool):
                raise InvalidInput(f"{on!r:.40}", expected="True or False", where=name)
        o: dict[str, Any] = {k: v for k, v in self.get_params(deep=False).items() if k not in OWN and v is not None}
        if not {"epochs", "minutes", "steps"} & o.keys():
            o |= self.budget
        with _one_at_a_time, TemporaryDirectory(prefix="helo-") as home:
            out, before = Path(home, "run"), Path(home, "before")
            if self._goes_on():
                _write(before, self._files)
                o |= {"start": before} | {k: o[k] / 10 for k in ("rate", "adam_rate") if k in o}
            try:
                run = training.train(
                    self.task, data, valid or (), out, seed=self._seed(), quiet=not self.verbose, page=False,
                    save_seconds=1e6, **o | more,
                )  # fmt: skip
            except training.Interrupted:
                raise KeyboardInterrupt("the training was stopped, and nothing of it is kept") from None
            except HeloError as error:
                if error.where.startswith(str(before)):
                    error.where, error.mend = "warm_start", "warm_start=False begins anew"
                raise
            self._files, self._run = (
                {p.name: p.read_bytes() for p in sorted(out.iterdir()) if p.is_file()},
                self._read(run),
            )
        return self

    def _read(self, run: Run) -> Run:
        """The run with all that it answers by, for its folder goes; what it says of itself names the estimator."""
        for name in ("task", "parameters"):
            getattr(run, name)
        run.path = Path(type(self).__name__)
        return run

    def _goes_on(self) -> bool:
        """Whether a fit begins with the weights of the last one."""
        return isinstance(self.warm_start, bool | np.bool) and bool(self.warm_start) and self.__sklearn_is_fitted__()

    def _seed(self) -> int:
        if isinstance(self.random_state, numbers.Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))


class Estimator(Trained, BaseEstimator):
    """One of scikit-learn's."""

    def _inputs(self, X: Any, reset: bool = False) -> Any:
        """Examples as helo takes them. An array `(examples, features)` is looked at as scikit-learn does everywhere; texts,
        series and pictures are looked at by helo. reset: from now on they have to be like these.
        """
        if hasattr(type(X), "columns"):  # a DataFrame
            table.named(X)
            some(X)
            validate_data(self, X, skip_check_array=True, reset=reset)
            return X
        if hasattr(X, "__array__") and (a := np.asarray(X)).ndim and (a.ndim > 2 or _listed(a)):
            return some(a if a.ndim > 2 else a.tolist())
        if isinstance(X, list | tuple) and X and (isinstance(X[0], str) or _depth(X[0]) > 1):
            return list(X)
        if isinstance(X, list | tuple) and len(sizes := {len(x) for x in X if _depth(x) == 1}) > 1:
            found, mend = f"series of {min(sizes)} to {max(sizes)} numbers", "x[:, None] is one of a single channel"
            raise InvalidInput(found, expected="arrays (time, channels)", mend=mend, where="X")
        a: Any = X
        least = 2 if reset else 1  # one of them is held out
        return validate_data(self, a, reset=reset, ensure_all_finite="allow-nan", ensure_min_samples=least)

    def _named(self, X: Any, y: Any, option: str) -> Sequence[str]:
        """What y is called, a Series by its name and a DataFrame by its columns, where X is a DataFrame; [] where it has no names,
        or one that a column of X has. Where a fit goes on, what it was called in the run.
        """
        if not hasattr(type(X), "columns"):
            return []
        if not self._goes_on():
            return _called(X, y)
        own = getattr(self.run_.task.options, option) or ()
        own = [own] if isinstance(own, str) else list(own)
        return own if len(own) == (np.shape(y)[1] if np.ndim(y) == 2 else 1) and LABEL not in own else []

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.three_d_array = tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags


def chosen(rows: np.ndarray, *parts: Any) -> tuple[Any, ...]:
    """Some examples of each, of whatever `_inputs` returns; None is None."""
    return tuple(None if part is None else _safe_indexing(part, rows) for part in parts)


def weighed(sample_weight: Any, X: Any, y: Any) -> tuple[Any, Any, Any]:
    """(X, y, weights), without what has no weight."""
    check_consistent_length(X, y)
    if sample_weight is None:
        return X, y, None
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return (X, y, weights) if weights.all() else chosen(np.flatnonzero(weights), X, y, weights)


def some(X: Any) -> Any:
    """X. Raises InvalidInput where there are no examples, or one has no steps."""
    if hasattr(X, "__len__") and not len(X):
        raise InvalidInput("0 examples", expected="one or more", where="X")
    if isinstance(X, np.ndarray) and not X.size:
        raise InvalidInput(f"an array of shape {X.shape}", expected="one or more of each", where="X")
    return X


def _called(X: Any, y: Any) -> list[str]:
    names: list[Any] = list(y.columns) if hasattr(type(y), "columns") else [getattr(y, "name", None)]
    taken = {str(c).lower() for c in X.columns} | {*TEXTS, *PICTURES, *VIDEOS}  # which are read as inputs
    if len(set(names)) < len(names):
        return []
    return names if all(isinstance(n, str) and n.strip() and n.lower() not in taken for n in names) else []


def data(X: Any, y: Any, weights: np.ndarray | None = None, names: Sequence[str] = ()) -> Any:
    """Examples with their labels as `helo.train` takes them. names: of the columns of labels, one or several."""
    found = (X, y) if weights is None else given.weighted((X, y), weights.tolist())
    if not names:
        return found
    (rows,) = given.settled(found)
    columns = {n: v for n, v in rows.columns.items() if n != LABEL}
    marks = rows.columns[LABEL]
    several = [marks] if len(names) == 1 else [list(column) for column in zip(*marks, strict=True)]
    return replace(rows, columns=columns | dict(zip(names, several, strict=True)))


def one_set(eval_set: Any) -> tuple[Any, Any]:
    """What to validate on: (X, y), or a list of one of them, as other libraries take it."""
    found = eval_set[0] if isinstance(eval_set, list) and len(eval_set) == 1 else eval_set
    if not isinstance(found, tuple) or len(found) != 2:
        raise InvalidInput(f"{type(found).__name__}", expected="(X, y)", where="eval_set")
    return found


def _listed(a: np.ndarray) -> bool:
    """Whether an array is a list of texts or of arrays."""
    return a.ndim == 1 and a.dtype.kind in "OUS" and len(a) > 0 and (isinstance(a[0], str) or _depth(a[0]) > 0)


def _depth(x: Any) -> int:
    """How many axes an example has."""
    if hasattr(x, "ndim"):
        return x.ndim
    return 1 + (_depth(x[0]) if len(x) else 0) if isinstance(x, list | tuple) else 0


def _options(task: str) -> Sequence[Option]:
    """The options of a task and of a training that have a part here, with the defaults that the task gives them."""
    kind = tasks.find(task)
    recipe, own = dict(kind.recipe.options), {f.name for f in fields(kind.Options)}
    found = [*described(kind.Options), *(o for o in described(training.Options) if o.name not in own)]
    return [o._replace(default=recipe.get(o.name, o.default)) for o in found if o.name not in NO_PART]


def _init(defaults: Mapping[str, Any]) -> Callable[..., None]:
    """`__init__` with a keyword for each parameter, which scikit-learn reads off its signature."""
    keywords = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=v) for n, v in defaults.items()]
    myself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.Signature([myself, *keywords])

    def __init__(self: Any, /, *args: Any, **given: Any) -> None:  # noqa: N807
        bound = signature.bind(self, *args, **given)
        bound.apply_defaults()
        for name in defaults:
            setattr(self, name, bound.arguments[name])
        Trained.__init__(self)

    __init__.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    return __init__


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
