"""What a notebook shows while a program runs: bars, and pictures that are replaced."""

import contextlib
import sys
import warnings

from minitorch_cnn.inspection import figures

__all__ = ["LivePicture", "in_notebook", "progress_bar"]


def in_notebook():
    """Whether the program runs in a notebook, which can show pictures, and not in a script or a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


@contextlib.contextmanager
def progress_bar(total, done=0, **settings):
    """A bar of tqdm's in a terminal or a notebook, and nothing in a log file. It vanishes at the end.

    A notebook's own bar needs ipywidgets; without them it is made of text.

    Parameters
    ----------
    total, done : int
        How much there is to do, and how much has been done before.
    **settings
        Those of tqdm.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ipywidgets are missing
        from tqdm.auto import tqdm

    disable = not sys.stderr or not (in_notebook() or sys.stderr.isatty())
    with tqdm(total=total, initial=done, leave=False, disable=disable, dynamic_ncols=True, **settings) as bar:
        yield bar


class LivePicture:
    """A place in a notebook's output for a picture that is replaced by the next one; elsewhere nothing is shown."""

    def __init__(self):
        self._place = None

    def show(self, figure):
        """Show the figure that a function makes, in place of the one before."""
        if not in_notebook():
            return
        from IPython.display import Image, display

        image = Image(figures.to_png(figure()))
        if self._place is None:
            self._place = display(image, display_id=True)
        else:
            self._place.update(image)
