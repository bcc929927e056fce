"""The folder of a training run: its checkpoint, weights, table and picture."""

import tempfile
from pathlib import Path

from minitorch_cnn.data.files import atomic_file, sweep_temporary_files
from minitorch_cnn.training.checkpoint import save_checkpoint, save_weights


class Run:
    """A folder for the results of one training run.

    Parameters
    ----------
    folder : str or Path
        It need not exist.

    Attributes
    ----------
    folder : Path
    checkpoint : Path
        What `load_checkpoint` reads to continue the run.
    """

    FILES = ("checkpoint.safetensors", "weights.safetensors", "metrics.csv", "curves.png")

    def __init__(self, folder):
        self.folder = Path(folder).expanduser()
        self.checkpoint = self.folder / self.FILES[0]

    @classmethod
    def fresh(cls, folder):
        """Return the first of ``folder``, ``folder-2``, ``folder-3``, ... that holds no run yet."""
        run, number = cls(folder), 1
        while run.has_results():
            number += 1
            run = cls(f"{folder}-{number}")
        return run

    @classmethod
    def newest(cls, folder):
        """Return the run of ``folder``, ``folder-2``, ... that was saved last; ``folder`` if there is none."""
        folder = Path(folder)
        runs = [cls(path) for path in (folder, *folder.parent.glob(f"{folder.name}-*"))]
        saved = [run for run in runs if run.checkpoint.is_file()]
        return max(saved, key=lambda run: run.checkpoint.stat().st_mtime, default=runs[0])

    def has_results(self):
        """Whether saving here would replace a file."""
        return any((self.folder / name).exists() for name in self.FILES)

    def prepare(self):
        """Make the folder, and find out now, not after the first epoch, whether it can be written to.

        Raises
        ------
        OSError
            If it cannot.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep_temporary_files(self.folder, self.FILES)
        tempfile.TemporaryFile(dir=self.folder).close()

    def save(self, net, optimizer, history, recipe):
        """Save everything; each file is replaced in one step, the checkpoint first."""
        save_checkpoint(self.checkpoint, net, optimizer, history, recipe)
        save_weights(self.folder / "weights.safetensors", net)
        for name, content in (("metrics.csv", history.to_csv().encode()), ("curves.png", history.to_png())):
            with atomic_file(self.folder / name) as file:
                file.write(content)
