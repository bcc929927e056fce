"""An epoch that was interrupted: what a checkpoint says of it, and the rest of its batches.

The order of the batches is drawn when an epoch begins. To draw it again, the random numbers go back to where they were
then; the batches that were trained on are passed over; and the random numbers go on from where they had come to.
"""

from minitorch_cnn.backend import random


def stream_states(batches):
    """Where the streams of random numbers are that decide on batches: the default one, and the loader's own."""
    own = _generator_of(batches)
    return [random.get_rng_state(), None if own is None else own.get_state()]


def go_to(states, batches):
    """Bring the streams to where they were."""
    random.set_rng_state(states[0])
    if states[1] is not None and _generator_of(batches) is not None:
        _generator_of(batches).set_state(states[1])


def rest_of(batches, within):
    """The batches of an epoch after those that ``within["batch"]`` counts.

    Parameters
    ----------
    batches : iterable, with a length
    within : dict
        From `Progress.within`.

    Raises
    ------
    ValueError
        If the epoch that was interrupted had another number of batches.
    """
    if len(batches) != within["batches"]:
        raise ValueError(
            f"the epoch that was interrupted had {within['batches']} batches, this one has {len(batches)}: to go on "
            "with it, the data and the size of a batch have to be the same"
        )
    go_to(within["order"], batches)
    rest = iter(batches)
    for _ in range(within["batch"]):
        next(rest)
    go_to(within["now"], batches)
    yield from rest


def check_within(within):
    """Refuse what is not the state of an epoch.

    Raises
    ------
    ValueError, TypeError, KeyError
    """
    if within is None:
        return None
    numbers = [within["batch"], within["batches"], within["seconds"], within["steps_took"], *within["sums"]]
    if len(numbers) != 7 or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise ValueError(f"got {numbers}")
    if not 0 < within["batch"] < within["batches"]:
        raise ValueError(f"got batch {within['batch']} of {within['batches']}")
    for states in (within["order"], within["now"]):
        for state in states:
            if state is not None:
                random.Generator().set_state(state)
    return within


def _generator_of(batches):
    return getattr(getattr(batches, "batches", batches), "generator", None)  # of a part of the batches, their loader's
