"""The numbers of a training for other programs: `helo.train(…, reporter=TensorBoard())`. Each needs its package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helo.errors import wrap
from helo.runs import folder
from helo.training.report import Reporter


class Logger(Reporter):
    """Tells another program every report: what metrics.jsonl gets, but for texts. It begins with the first report, when it is
    known where the run lies.
    """

    package: str

    def __init__(self, **how: Any):
        """how: what the package's own beginning takes. Raises HeloError where the package is missing."""
        self.how, self.begun, self.path = how, False, Path()
        with wrap(ImportError, f"{type(self).__name__} needs its package", mend=f"pip install 'helo[{self.package}]'"):
            self.load()

    def begin(self, path):
        self.path = path

    def report(self, report):
        home = self.path / folder.NEW if (self.path / folder.NEW).is_dir() else self.path
        if not self.begun:
            about = folder.read_json(home / "run.json")
            self.start(home, {"task": about["task"], **about["options"], **about["training"]})
            self.begun = True
        self.log({k: v for k, v in report.items() if isinstance(v, int | float)}, report["step"])

    def close(self):
        if self.begun:
            self.begun = False
            self.end()

    def load(self) -> None:
        """Import the package."""

    def start(self, home: Path, options: dict[str, Any]) -> None:
        """Before the first report. home: where the run is written; options: all that run.json records."""

    def log(self, numbers: dict[str, float], step: int) -> None:
        """A report."""

    def end(self) -> None:
        """After the last one."""


class TensorBoard(Logger):
    """Event files in RUN/tensorboard, by one writer."""

    package = "tensorboard"

    def load(self):
        from torch.utils.tensorboard.writer import SummaryWriter

        self.kind: Any = SummaryWriter

    def start(self, home, options):
        self.writer = self.kind(str(home / "tensorboard"), **self.how)

    def log(self, numbers, step):
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def end(self):
        self.writer.close()


class WeightsAndBiases(Logger):
    """A run of Weights & Biases. how: what `wandb.init` takes, such as project."""

    package = "wandb"

    def load(self):
        import wandb  # pyright: ignore[reportMissingImports]

        self.wandb: Any = wandb

    def start(self, home, options):
        self.run = self.wandb.init(**{"name": self.path.name, "config": options, **self.how})

    def log(self, numbers, step):
        self.run.log(numbers, step=step)

    def end(self):
        self.run.finish()


class MLflow(Logger):
    """A run of MLflow. how: what `mlflow.start_run` takes."""

    package = "mlflow"

    def load(self):
        import mlflow  # pyright: ignore[reportMissingImports]

        self.mlflow: Any = mlflow

    def start(self, home, options):
        self.mlflow.start_run(**{"run_name": self.path.name, **self.how})
        self.mlflow.log_params(options)

    def log(self, numbers, step):
        self.mlflow.log_metrics(numbers, step=step)

    def end(self):
        self.mlflow.end_run()
