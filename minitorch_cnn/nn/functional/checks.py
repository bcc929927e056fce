"""What functions of images accept."""

from minitorch_cnn.autograd.tensor import Tensor


def images(name, input):
    """Images as a batch, and whether they were one already.

    Returns
    -------
    Tensor
        Of shape (N, C, H, W).
    bool

    Raises
    ------
    RuntimeError
        If the input is neither (N, C, H, W) nor (C, H, W).
    TypeError
        If it is not a Tensor.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"{name} expected a Tensor, got {type(input).__name__}; make one first: tensor(data)")
    if input.ndim not in (3, 4):
        raise RuntimeError(
            f"Expected 3D (unbatched) or 4D (batched) input to {name}, (C, H, W) or (N, C, H, W); "
            f"got {input.ndim} dimensions, shape {input.shape}"
        )
    return (input, True) if input.ndim == 4 else (input.reshape(1, *input.shape), False)
