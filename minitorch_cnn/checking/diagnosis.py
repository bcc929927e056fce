"""Why a gradient and its difference quotient disagree: a wrong formula, rounding, or a kink.

The quotient's own error has two parts. The formula's shrinks like eps² with the step, and that of rounding grows like
1 / eps: over all steps, the error of a right gradient draws a V. That of a wrong gradient stays. And at a kink, such
as relu's at 0, the slopes on both sides differ, however small the step.
"""

import numpy as np

# The second gradient that the walk back begins with, in units of the first: its sign, its square and what is too large
# for a limit in backward all show.
SCALE = -1000

# What a verdict says of the tensor's elements, in messages.
VERDICTS = {
    "wrong": "is wrong",
    "not linear": "is not linear in dy",
    "in place": "is computed in place",
    "not finite": "is not finite",
    "unclear": "cannot be judged",
    "rounding": "is lost in rounding",
    "curvature": "changes too much within the step",
    "kink": "meets a kink",
}


class Tolerance:
    """How near is near enough: ``|analytic - numeric| <= atol + rtol |numeric|``."""

    def __init__(self, atol, rtol):
        self.atol, self.rtol = atol, rtol

    def __call__(self, numeric):
        return self.atol + self.rtol * np.abs(numeric)

    def excess(self, analytic, numeric):
        """The error in units of what is allowed: more than 1 is too much, and what is no number is infinite."""
        with np.errstate(all="ignore"):
            ratio = np.abs(analytic - numeric) / np.maximum(self(numeric), np.finfo(float).tiny)
        return np.where(np.isnan(ratio), np.inf, ratio)

    def fits_a_kink(self, analytic, below, above):
        """Whether the slopes on both sides differ, and a gradient is one of them or lies between."""
        low, high = np.minimum(below, above), np.maximum(below, above)
        with np.errstate(invalid="ignore"):
            allowed = self(np.minimum(np.abs(low), np.abs(high)))
            return (high - low > allowed) & (low - allowed <= analytic) & (analytic <= high + allowed)


def diagnose(sweep, eps, tolerance):
    """Explain a disagreement that was found with the step `eps`.

    Returns
    -------
    (str, str)
        The verdict, one of `VERDICTS`, and what speaks for it.
    """
    if not np.isfinite(sweep.slope) or not np.isfinite(sweep.central).any():
        return "not finite", "There is no derivative at such a place: move the input away from it."
    good = sweep.error <= tolerance(sweep.central)
    if (good[1:] & good[:-1]).any():  # one good step alone may be an error that changes its sign there
        return _right_formula(sweep, eps, good)
    small = (sweep.steps < 2e-3) & (sweep.steps > 5e-8)
    below, above = _one_sided(sweep, small)
    if len(below):
        kink = f"The slope is {below[-1]:.6g} below this point and {above[-1]:.6g} above it, however small the step,"
    if len(below) and tolerance.fits_a_kink(sweep.slope, below, above).all():
        return "kink", (
            f"{kink} and backward gives one of them or a value between: that is no mistake. "
            "Move the input away from the kink, or pass allow_kinks=True."
        )
    if len(below) and np.ptp(below) + np.ptp(above) < 0.1 * np.abs(above - below).min():
        return "unclear", (
            f"{kink} and backward gives neither nor a value between: the formula is wrong, or several kinks meet. "
            "Move the input away from the kink and check again."
        )
    is_seen = sweep.error * sweep.steps > 2 * sweep.rounding
    first, last = longest_plateau(np.where(is_seen, sweep.error, np.nan))
    if last - first < 2 and not is_seen.all():
        return "rounding", (
            f"No step shows the slope: values of this size are rounded by about {sweep.rounding:.0e}, and the error is "
            f"below that in steps of {sweep.steps[~is_seen][0]:.0e} and less. Make them smaller: subtract what is "
            "constant, or divide."
        )
    if last - first < 2:
        return "unclear", (
            f"The quotient settles at no step: it is {sweep.central[0]:.3g} at eps {sweep.steps[0]:.0e}, and "
            f"{sweep.central[-1]:.3g} at eps {sweep.steps[-1]:.0e}. The function jumps here, or its rounding is coarse."
        )
    return "wrong", (
        f"The error stays near {np.median(sweep.error[first : last + 1]):.3g} from eps {sweep.steps[first]:.0e} "
        f"to {sweep.steps[last]:.0e}: that is a wrong formula; rounding would change with the step."
    )


def _right_formula(sweep, eps, good):
    """With other steps the two agree: the one that was used is too small, too large, or reaches over a kink."""
    best = sweep.steps[sweep.best]
    agree = f"With eps {best:.0e} the error falls to {sweep.error[sweep.best]:.2g}: the formula is right"
    if best > eps:
        return "rounding", f"{agree}, and the step of {eps:.0e} too small for values of this size. Pass eps={best:.0e}."
    too_large = np.flatnonzero(~good & (sweep.steps > best))
    if too_large.size and sweep.error[too_large[-1]] > 1000 * sweep.error[too_large[-1] + 1]:
        return "kink", (
            f"{agree}, but a step of {sweep.steps[too_large[-1]]:.0e} reaches over a kink. "
            "Move the input away from it, or pass allow_kinks=True."
        )
    return "curvature", f"{agree}, and the step of {eps:.0e} too large here. Pass eps={best:.0e}."


def _one_sided(sweep, small):
    """The slopes to either side in small steps, down to where rounding begins; none if they differ by less than that.

    Their difference falls with the step where it comes from curvature, and rises like 1 / eps where from rounding.
    """
    below, above, steps = sweep.below[small], sweep.above[small], sweep.steps[small]
    with np.errstate(all="ignore"):
        jump = np.abs(above - below)
        seen = int(np.logical_and.accumulate(jump * steps > 4 * sweep.rounding).sum())
        if seen < 2 or not 0.5 < jump[seen - 1] / jump[seen - 2] < 5:
            seen = 0
    return below[:seen], above[:seen]


def longest_plateau(error):
    """The first and the last of the longest run of errors of which each is within 10 % of the one before."""
    best, first = (0, 0), 0
    for i in range(len(error)):
        if i and not abs(error[i] - error[i - 1]) <= 0.1 * max(error[i], error[i - 1]):
            first = i
        if i - first > best[1] - best[0]:
            best = first, i
    return best


def resemblance(analytic, numeric):
    """What a wrong gradient has to do with the right one, as a sentence, where that is something simple."""
    if not analytic.any():
        return "backward gives zero everywhere: is the tensor cut off from the output, by detach() or no_grad()?"
    if not numeric.any():
        return (
            "The quotient is 0 everywhere: the function does not see that its input is moved. Does it round, or "
            "remember an earlier result?"
        )
    if numeric.size < 2 or not np.isfinite(numeric).all():
        return ""
    factor = float((analytic * numeric).sum() / (numeric * numeric).sum())
    if _alike(analytic, factor * numeric):
        return f"Everywhere, backward gives {factor:.4g} times the quotient."
    if numeric.ndim >= 2 and numeric.shape[-1] == numeric.shape[-2] and _alike(analytic.swapaxes(-1, -2), numeric):
        return "With its last two dimensions swapped, what backward gives would be right."
    if numeric.ndim >= 2 and _alike(analytic[..., ::-1, ::-1], numeric):
        return "With its last two dimensions reversed, what backward gives would be right."
    return ""


def dependence(first, second):
    """What a backward does with dy that gives `first` for it and `second` for SCALE times it, where that is simple."""
    for factor, words in (
        (1.0, "It gives the same whatever dy is: is dy forgotten? Multiply by it."),
        (SCALE**2, "It gives the square of that factor: dy is squared, or multiplied in twice."),
        (-SCALE, "It loses the sign of dy."),
        (-1.0, "It loses the size of dy, and keeps its sign."),
        (0.0, "It gives zero for a dy of the other sign."),
    ):
        if _alike(second, factor * first):
            return words
    return "backward must be linear in dy: one factor dy in each of its terms."


def _alike(a, b):
    return bool((np.abs(a - b) <= 1e-4 * np.abs(b).max(initial=0)).all())
