"""Tensors beside the arrays, tensors, tables and images of other libraries: what is shared, and what is refused."""

import functools
import operator

import numpy as np
import pytest
from helpers import needs_torch, to_numpy, torch

import minitorch_cnn as mt

A = np.arange(6, dtype=np.float32).reshape(2, 3)


# --- DLPack ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_dlpack_shares_memory_with_pytorch_both_ways(dtype):
    needs_torch()
    ours = mt.zeros(2, 3, dtype=dtype)
    theirs = torch.from_dlpack(ours)
    theirs[0, 1] = 1
    assert ours[0, 1].item() == 1 and str(theirs.dtype) == f"torch.{dtype}"
    back = mt.from_dlpack(theirs.T)
    assert back.dtype == np.dtype(dtype) and back.shape == (3, 2)
    back[2, 0] = 1
    assert theirs[0, 2] == 1 and ours[0, 2].item() == 1


def test_dlpack_shares_memory_with_numpy_both_ways():
    array = A.copy()
    ours = mt.from_dlpack(array)
    array[0, 0] = 9
    assert ours[0, 0].item() == 9
    np.from_dlpack(ours[1])[0] = 8
    assert array[1, 0] == 8


def test_dlpack_stays_on_the_device(device):
    x = mt.tensor(A, device=device)
    y = mt.from_dlpack(x.array)
    assert y.device == x.device
    y[0, 0] = 7.0
    assert x[0, 0].item() == 7
    assert mt.from_dlpack(x, device="cpu").device == mt.device("cpu")
    assert x.__dlpack_device__()[0] == (1 if device == "cpu" else 2)


def test_dlpack_copies_where_that_is_asked_for():
    array = A.copy()
    assert not np.shares_memory(mt.from_dlpack(array, copy=True).array, array)
    assert np.shares_memory(mt.from_dlpack(array, copy=False, device="cpu").array, array)


def test_dlpack_refuses_to_move_without_a_copy(gpu):
    with pytest.raises(ValueError, match="from cpu to cuda:0 without a copy"):
        mt.from_dlpack(A, device="cuda", copy=False)


def test_a_tensor_that_requires_grad_is_not_given_away():
    """With PyTorch's type of error; and PyTorch's are not taken."""
    needs_torch()
    x = mt.ones(2, requires_grad=True)
    for take in (torch.from_dlpack, np.from_dlpack):
        with pytest.raises(BufferError, match=r"requires grad; use tensor\.detach"):
            take(x)
    assert torch.from_dlpack(x.detach()).sum() == 2
    with pytest.raises(BufferError, match="torch's Tensor.*require gradient"):
        mt.from_dlpack(torch.ones(2, requires_grad=True))


def test_what_dlpack_cannot_take_is_named():
    needs_torch()
    with pytest.raises(RuntimeError, match=r"torch's Tensor.*[Uu]nsupported dtype"):
        mt.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match="complex64"):
        mt.from_dlpack(torch.ones(2, dtype=torch.complex64))
    with pytest.raises(TypeError, match="method __dlpack__, got a list"):
        mt.from_dlpack([1.0, 2.0])


def test_a_change_of_memory_that_others_show_is_seen_there():
    """A view that had to be copied is none: here a network's images, of which memory has the batch innermost."""
    needs_torch()
    images = mt.nn.functional.avg_pool2d(mt.rand(2, 3, 4, 4), 2)
    theirs = torch.from_dlpack(images)
    rows = images.flatten(1)
    with pytest.raises(RuntimeError, match="would be lost"):
        rows[0, 0] = 5.0
    images[0, 0, 0, 0] = 5.0
    assert theirs[0, 0, 0, 0] == 5


def test_pytorch_makes_tensors_of_ours():
    needs_torch()
    for make in (torch.tensor, torch.as_tensor):
        assert torch.equal(make(mt.tensor(A)), torch.tensor(A))


# --- NumPy -----------------------------------------------------------------------------------------------

OPERATORS = ["__add__", "__sub__", "__mul__", "__truediv__", "__pow__", "__lt__", "__ge__", "__eq__"]


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_between_an_array_and_a_tensor_gives_a_tensor(name):
    x, there, back = mt.tensor(A + 1), getattr(A, name), getattr(mt.tensor(A), name)
    expected = there(A + 1)
    for result in (getattr(operator, name)(A, x), back(A + 1)):
        assert isinstance(result, mt.Tensor)
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)


def test_the_matrix_product_of_an_array_and_a_tensor_is_differentiated():
    x = mt.tensor(A.T, requires_grad=True)
    for product in (A @ x, (x.T @ A.T).T):
        assert isinstance(product, mt.Tensor) and product.requires_grad
    (A @ x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.repeat(A.sum(0)[:, None], 2, 1))


FUNCTIONS = {
    "sum": np.sum, "sum of rows": lambda x: np.sum(x, axis=1, keepdims=True), "mean": np.mean, "prod": np.prod,
    "std": np.std, "var": lambda x: np.var(x, axis=0, ddof=1), "max": np.max, "min": lambda x: np.min(x, axis=0),
    "any": np.any, "all": np.all, "argmax": np.argmax, "cumsum": np.cumsum, "exp": np.exp, "isnan": np.isnan,
    "add": lambda x: np.add(x, A), "matmul": lambda x: np.matmul(A.T, x), "dot": lambda x: np.dot(x, A.T),
    "concatenate": lambda x: np.concatenate([x, x]), "stack": lambda x: np.stack((x, A), axis=1),
    "block": lambda x: np.block([[x], [A]]), "where": lambda x: np.where(x > 2, x, 0),
    "clip": lambda x: np.clip(x, 1, 2),
    "reshape": lambda x: np.reshape(x, (3, 2)), "transpose": np.transpose, "sort": lambda x: np.sort(x, axis=None),
    "norm": np.linalg.norm, "einsum": lambda x: np.einsum("ij->j", x), "size": np.size, "shape": np.shape,
    "ndim": np.ndim, "zeros_like": np.zeros_like, "full_like": lambda x: np.full_like(x, 7),
    "array of a list": lambda x: np.array([x, x]), "array of float64": lambda x: np.array(x, dtype=np.float64),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpys_functions_of_a_tensor_are_those_of_its_array(name):
    function = FUNCTIONS[name]
    result, expected = function(mt.tensor(A)), function(A)
    assert type(result) is type(expected)
    np.testing.assert_array_equal(result, expected)
    assert getattr(result, "dtype", None) == getattr(expected, "dtype", None)


OF_FORM = ["size", "shape", "ndim", "zeros_like", "full_like"]


@pytest.mark.parametrize("name", OF_FORM)
def test_numpy_may_be_asked_for_the_form_of_a_tensor_with_a_gradient(name):
    np.testing.assert_array_equal(FUNCTIONS[name](mt.tensor(A, requires_grad=True)), FUNCTIONS[name](A))


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {*OF_FORM}))
def test_numpys_functions_do_not_lose_a_gradient_in_silence(name):
    with pytest.raises(RuntimeError, match=r"can't call numpy\(\) on a Tensor that requires grad"):
        FUNCTIONS[name](mt.tensor(A, requires_grad=True))


def test_numpys_functions_do_not_write_into_a_tensor():
    """`backward` could not know of it."""
    x = mt.tensor(A)
    with pytest.raises(ValueError, match="read-only"):
        np.copyto(x, 0)
    with pytest.raises(ValueError, match="read-only"):
        np.sum(A, axis=0, out=x[0])
    with pytest.raises(TypeError, match="must be of ArrayType"):
        np.exp(A, out=x)
    np.testing.assert_array_equal(x.numpy(), A)


# --- images, tables, models, plots -----------------------------------------------------------------------


def test_an_image_keeps_its_bytes():
    image_of = pytest.importorskip("PIL.Image").fromarray  # matplotlib brings it
    grey, colour = np.arange(20, dtype=np.uint8).reshape(4, 5), np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    for pixels in (grey, colour):
        for make in (mt.tensor, mt.as_tensor):
            x = make(image_of(pixels))
            assert x.dtype == mt.uint8
            np.testing.assert_array_equal(x.numpy(), pixels)
        np.testing.assert_array_equal(np.asarray(image_of(mt.tensor(pixels).numpy())), pixels)
    assert mt.tensor([image_of(grey), image_of(grey)]).shape == (2, 4, 5)
    with pytest.raises(TypeError, match=r"got a PIL\.Image: make a Tensor of it"):
        mt.nn.Conv2d(1, 2, 3)(image_of(grey))


def test_tables_become_tensors_and_tensors_tables():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert mt.tensor(frame).tolist() == [[1, 0.5], [2, 1.5]]
    assert mt.tensor(frame["a"]).dtype == mt.int64
    assert pd.Series(mt.arange(3)).tolist() == [0, 1, 2]
    assert pd.DataFrame(mt.tensor(A)).dtypes.tolist() == [np.float32] * 3
    assert (frame["b"] + mt.ones(2)).tolist() == [1.5, 2.5]
    with pytest.raises(TypeError, match=r"got a pandas\.DataFrame of object"):
        mt.tensor(pd.DataFrame({"a": [1, "x"]}))
    with pytest.raises(TypeError, match=r"got a pandas\.Series: make a Tensor of it"):
        mt.exp(frame["b"])


def test_scikit_learn_fits_tensors():
    model = pytest.importorskip("sklearn.linear_model").LinearRegression()
    x = mt.rand(20, 3)
    assert model.fit(x, x.sum(dim=1)).score(x, x.sum(dim=1)) == pytest.approx(1)
    assert isinstance(model.predict(x), np.ndarray)


def test_matplotlib_draws_tensors():
    from minitorch_cnn.inspection.figures import new_figure

    axes, x = new_figure().subplots(), mt.tensor(A)
    (line,) = axes.plot(x[0], x[1])
    np.testing.assert_array_equal(line.get_xydata(), A[:2].T)
    assert axes.imshow(x).get_array().shape == (2, 3)
    assert sum(axes.hist(x[0])[0]) == 3
    with pytest.raises(RuntimeError, match=r"use tensor\.detach\(\)\.numpy"):
        axes.plot(mt.ones(3, requires_grad=True))


# --- errors name the library -----------------------------------------------------------------------------


def stranger(library, name, **members):
    """An object of another library, as far as can be seen."""
    return type(name, (), {"__module__": f"{library}.core", **members})()


ARRAY = functools.partial(stranger, "jaxlib", "Array", __array__=lambda self, dtype=None, copy=None: np.ones((2, 3)))


def test_an_array_of_another_library_is_converted_or_refused_by_name():
    assert mt.tensor(ARRAY()).tolist() == [[1, 1, 1], [1, 1, 1]]
    for use in (mt.exp, lambda x: mt.ones(3) + x, mt.nn.Linear(3, 1), lambda x: mt.cat([mt.ones(2, 3), x])):
        with pytest.raises(TypeError, match=r"a jaxlib\.Array: make a Tensor of it with minitorch_cnn\.tensor"):
            use(ARRAY())


def test_what_holds_no_numbers_is_refused_by_name():
    with pytest.raises(TypeError, match=r"sparselib\.Matrix"):
        mt.tensor(stranger("sparselib", "Matrix"))


@pytest.mark.parametrize("layer", [mt.nn.functional.linear, mt.nn.functional.conv2d])
def test_parameters_of_pytorch_are_refused_by_name(layer):
    needs_torch()
    shape = (2, 3) if layer is mt.nn.functional.linear else (1, 3, 2, 2)
    with pytest.raises(TypeError, match="expected Tensors, got torch's Tensor"):
        layer(mt.ones(*shape), torch.ones(*shape))


def test_tensors_of_pytorch_become_ours():
    needs_torch()
    theirs = torch.arange(6.0).reshape(2, 3)
    for make in (mt.tensor, mt.as_tensor):
        np.testing.assert_array_equal(to_numpy(make(theirs)), theirs.numpy())
    with pytest.raises(RuntimeError, match="requires grad"):
        mt.tensor(theirs.requires_grad_())
