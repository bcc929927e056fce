"""Threads inside operations: never a bit of difference by their number, and whatever happens, work goes on after it."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import models, nn, training
from minitorch_cnn.backend import parallel
from minitorch_cnn.ops import convolution, linalg

ROOT = Path(__file__).parents[1]
rng = np.random.default_rng(0)


@pytest.fixture
def use_threads():
    yield parallel.use_threads
    parallel.use_threads(None)


def blas_threads():
    """How many threads each BLAS would use now."""
    from threadpoolctl import threadpool_info

    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def wait_until(condition):
    """Within some seconds: another thread may be about to do it."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


# --- the same bits -------------------------------------------------------------------------------------------

OPERATIONS = {
    "conv 5×5": lambda: (nn.Conv2d(1, 6, 5, padding=2), (1, 28, 28)),
    "conv 3×3, stride 2": lambda: (nn.Conv2d(6, 16, 3, stride=2), (6, 15, 15)),
    "conv, depthwise": lambda: (nn.Conv2d(8, 8, 3, groups=8), (8, 14, 14)),
    "conv, dilated": lambda: (nn.Conv2d(4, 4, 3, dilation=2), (4, 13, 13)),
    "transposed conv": lambda: (nn.ConvTranspose2d(6, 4, 2, stride=2), (6, 14, 14)),
    "average pooling": lambda: (nn.AvgPool2d(2), (6, 28, 28)),
    "max pooling": lambda: (nn.MaxPool2d(3, stride=2, padding=1), (6, 29, 29)),
    "sigmoid": lambda: (nn.Sigmoid(), (6, 28, 28)),
    "tanh": lambda: (nn.Tanh(), (6, 28, 28)),
    "relu": lambda: (nn.ReLU(), (6, 28, 28)),
    "batch normalization": lambda: (nn.BatchNorm2d(6), (6, 28, 28)),
    "log softmax": lambda: (nn.LogSoftmax(1), (500,)),
    "linear": lambda: (nn.Linear(400, 120), (400,)),
}


def same_bits(compute):
    """Whether arrays that a function computes do not depend on the number of threads."""
    results = []
    for threads in (1, 2, 3, 4):
        parallel.use_threads(threads)
        results.append(compute())
    return all(np.array_equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 7, 32, 257])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_and_its_gradients_have_the_same_bits_on_any_number_of_threads(name, batch, dtype, use_threads):
    layer, shape = OPERATIONS[name]()
    layer.to(getattr(mt, dtype))
    x = mt.tensor(rng.standard_normal((batch, *shape)).astype(dtype), requires_grad=True)
    dy = rng.standard_normal(layer(x).shape).astype(dtype)

    def compute():
        y = layer(x)
        return [t.detach().numpy() for t in (y, *mt.autograd.grad(y, [x, *layer.parameters()], mt.tensor(dy)))]

    assert same_bits(compute)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"relu", "log softmax"}))  # these are quick to compute
def test_large_work_is_shared_both_ways(name, monkeypatch):
    """Where everything counts as large, forward and backward hand parts to the threads."""
    for module, size in ((parallel, "SMALLEST"), (linalg, "SHARED"), (convolution, "SHARED")):
        monkeypatch.setattr(module, size, 8)
    shared, share = [], parallel._pool.share
    monkeypatch.setattr(parallel._pool, "share", lambda work: shared.append(len(work.parts)) or share(work))
    layer, shape = OPERATIONS[name]()
    x = mt.tensor(rng.standard_normal((64, *shape)).astype("float32"), requires_grad=True)
    y = layer(x)
    forward = len(shared)
    (y * y).sum().backward()
    assert 0 < forward < len(shared) and min(shared) > 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 30, 256, 301])
def test_a_step_of_lenet_has_the_same_bits_on_any_number_of_threads(batch, dtype, use_threads):
    x, y = mt.tensor(rng.random((batch, 1, 28, 28)).astype(dtype)), mt.tensor(rng.integers(0, 10, batch))

    def compute():
        mt.manual_seed(0)
        net = mt.models.LeNet().apply(mt.models.xavier_uniform).to(getattr(mt, dtype))
        optimizer = mt.optim.SGD(net.parameters(), lr=0.9)
        for _ in range(2):
            optimizer.zero_grad()
            l = nn.CrossEntropyLoss()(net(x), y)
            l.backward()
            optimizer.step()
        return [l.detach().numpy(), *(p.detach().numpy() for p in net.parameters())]

    assert same_bits(compute)


def test_a_training_has_the_same_bits_on_any_number_of_threads(use_threads):
    images = mt.data.TensorDataset(mt.tensor(rng.random((600, 1, 28, 28), "float32")), mt.arange(600) % 10)

    def compute():
        mt.manual_seed(3)
        net = mt.models.LeNet().apply(mt.models.xavier_uniform)
        train_iter = mt.data.DataLoader(images, 256, shuffle=True)
        (row,) = training.train(net, train_iter, train_iter, epochs=1, progress=False)
        return [np.array(row[:4]), *(p.detach().numpy() for p in net.parameters())]

    assert same_bits(compute)


def test_parts_follow_from_shapes_and_their_results_are_in_order(use_threads):
    for threads in (1, 2, 5):
        use_threads(threads)
        parts = parallel.slices(10, 4)
        assert parallel.run(lambda part: (part.start, part.stop), parts) == [(0, 2), (2, 5), (5, 7), (7, 10)]
    assert parallel.slices(3, 8) == (slice(0, 1), slice(1, 2), slice(2, 3))
    assert parallel.run(len, ["abc"]) == [3]


@pytest.mark.parametrize("shape", [(0, 5), (2**20,), (900, 901), (3, 2**18)])
def test_work_over_arrays_reaches_every_element_once(shape):
    x, y = rng.random(shape), np.zeros(shape)

    def add(y, x):
        y += x

    parallel.over(add, y, x)
    parallel.over(add, y.T, x.T)
    np.testing.assert_array_equal(y, 2 * x)


# --- how many --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count, error", [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError)])
def test_no_number_of_threads(count, error, use_threads):
    use_threads(3)
    with pytest.raises(error, match=rf"the number of threads must be .*, got {count!r}"):
        use_threads(count)
    assert parallel.thread_count() == 3, "nothing has changed"


def test_one_thread_is_the_calling_one(use_threads):
    use_threads(1)
    assert set(parallel.run(lambda part: threading.get_ident(), range(20))) == {threading.get_ident()}
    use_threads(None)
    assert parallel.thread_count() == len(parallel.available_cores())


def test_the_names_of_pytorch(use_threads):
    mt.set_num_threads(3)
    assert mt.get_num_threads() == 3
    training.use_threads(2)
    assert mt.get_num_threads() == 2


def test_threads_share_the_work(use_threads):
    use_threads(3)
    all_three = threading.Barrier(3)
    threads = parallel.run(lambda part: all_three.wait(20) >= 0 and threading.get_ident(), range(3))
    assert len(set(threads)) == 3 and threading.get_ident() in threads


def run_python(code, **options):
    """Run code in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return done


def test_threads_start_when_they_are_needed_are_reused_and_end_with_python():
    done = run_python(
        "import threading\n"
        "from minitorch_cnn.backend import parallel\n"
        "print(threading.active_count())\n"
        "for count in (3, 2, 3, 1, 3) * 5:\n"
        "    parallel.use_threads(count)\n"
        "    parallel.run(lambda part: None, range(8))\n"
        "print(threading.active_count(), all(t.daemon for t in threading.enumerate()[1:]))\n"
    )
    assert (done.stdout, done.stderr) == ("1\n3 True\n", "")


def test_without_more_threads_those_that_there_are_do_the_work(monkeypatch, use_threads):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    use_threads(parallel._pool.started + 5)
    assert parallel.run(lambda part: part, range(9)) == list(range(9))


def test_blas_that_cannot_be_limited_is_told_once_and_threads_are_left_alone(monkeypatch, use_threads):
    """Otherwise its threads, as many as there are cores, would run in each of ours."""
    import threadpoolctl

    use_threads(4)
    monkeypatch.setattr(parallel, "_pool", parallel._Pool())
    nothing = types.SimpleNamespace(lib_controllers=[])
    monkeypatch.setattr(threadpoolctl.ThreadpoolController, "select", lambda self, **_: nothing)
    with pytest.warns(UserWarning, match="no BLAS is found whose threads can be limited"):
        first = parallel.run(lambda part: threading.get_ident(), range(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(first + parallel.run(lambda part: threading.get_ident(), range(4))) == {threading.get_ident()}
    assert parallel._pool.started == 0


# --- errors and Ctrl-C ------------------------------------------------------------------------------------


def works():
    """Whether the pool computes on two threads, and BLAS has its own ones."""
    parallel.use_threads(2)
    both = threading.Barrier(2)
    threads = parallel.run(lambda part: both.wait(20) >= 0 and threading.get_ident(), range(2))
    return len(set(threads)) == 2 and not parallel._pool.regions and parallel._pool.before is None


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_error_of_the_first_part_that_fails_comes_out(threads, use_threads):
    use_threads(threads)
    all_of_them, before = threading.Barrier(threads), blas_threads()

    def fail(part):
        all_of_them.wait(20)
        raise ValueError(f"part {part}")

    for _ in range(20):
        with pytest.raises(ValueError, match="part 0"):
            parallel.run(fail, range(8))
    assert blas_threads() == before and works()


def test_after_an_error_no_part_is_begun_and_none_goes_on(use_threads):
    use_threads(2)
    begun, ended = [], []

    def fail_at_one(part):
        begun.append(part)
        if part == 1:
            raise ValueError("one")
        time.sleep(0.05)
        ended.append(part)

    with pytest.raises(ValueError, match="one"):
        parallel.run(fail_at_one, range(50))
    assert len(begun) <= 3 and len(ended) == len(begun) - 1


@pytest.mark.parametrize("failing", ["here", "there", "both"])
def test_an_error_holds_nothing_of_the_work(failing, use_threads):
    """What was computed is freed with the error, without Python's cyclic garbage collector."""
    use_threads(2)
    both, here, arrays = threading.Barrier(2), threading.get_ident(), []

    class Array(np.ndarray):
        pass

    def fail(part):
        array = part.view(Array)
        arrays.append(weakref.ref(array))
        both.wait(20)
        if failing == "both" or (threading.get_ident() == here) == (failing == "here"):
            raise ValueError(failing)
        return array

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ValueError, match=failing):
            parallel.run(fail, [np.ones(3), np.ones(3)])
        assert len(arrays) == 2 and wait_until(lambda: all(array() is None for array in arrays))
    finally:
        gc.enable()


@pytest.mark.parametrize("other_fails", [False, True])
def test_ctrl_c_comes_out_even_if_an_earlier_part_fails_and_leaves_the_pool_as_it_was(other_fails, use_threads):
    use_threads(2)
    here, before = threading.get_ident(), blas_threads()
    one_is_begun, both = threading.Event(), threading.Barrier(2)

    def interrupted(part):
        if part == 0:  # who takes it takes part 2 as well: most often the calling thread
            one_is_begun.wait(20)
            return
        one_is_begun.set()
        both.wait(20)
        if threading.get_ident() == here:
            raise KeyboardInterrupt
        if other_fails:
            raise ValueError("not this")

    for _ in range(20):
        one_is_begun.clear()
        with pytest.raises(KeyboardInterrupt):
            parallel.run(interrupted, range(3))
    assert blas_threads() == before and works()


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import minitorch_cnn as mt
from minitorch_cnn import nn
sys.path.insert(0, "tests")
from test_parallel import blas_threads, works

mt.manual_seed(0)
net, loss = mt.models.LeNet(), nn.CrossEntropyLoss()
optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
x, y = mt.rand(256, 1, 28, 28), mt.randint(10, (256,))

def step():
    optimizer.zero_grad()
    loss(net(x), y).backward()
    optimizer.step()

step()
before, pid, interrupts = blas_threads(), os.getpid(), 0
for i in range(60):
    begun = time.perf_counter()
    thread = threading.Thread(target=lambda: (time.sleep(0.0003 * (i % 40)), os.kill(pid, signal.SIGINT)))
    try:
        thread.start()
        while True:
            step()
    except KeyboardInterrupt:
        interrupts += 1
    thread.join()
assert interrupts == 60
assert blas_threads() == before, blas_threads()
assert works()
step()
print(threading.active_count() <= 3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_sixty_times_ctrl_c_while_it_trains():
    assert run_python(INTERRUPTED).stdout == "True\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_while_the_calling_thread_waits_for_another(use_threads):
    """It has nothing left to compute: the part of the other thread is ended first, then it comes out."""
    use_threads(2)
    both, here, ended = threading.Barrier(2), threading.get_ident(), []

    def one_is_slow(part):
        both.wait(20)
        if threading.get_ident() != here:
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            ended.append(part)

    with pytest.raises(KeyboardInterrupt):
        parallel.run(one_is_slow, range(2))
    assert len(ended) == 1 and works()


# --- several at once -------------------------------------------------------------------------------------


def test_work_within_a_part_is_done_on_its_thread(use_threads):
    for threads in (1, 2, 4):
        use_threads(threads)
        nested = parallel.run(
            lambda part: [threading.get_ident(), *parallel.run(lambda i: threading.get_ident(), range(3))], range(4)
        )
        assert all(len(set(idents)) == 1 and len(idents) == 4 for idents in nested)


def test_blas_has_one_thread_until_the_last_of_two_users_is_done():
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    before, inside, after = run_python(OVERLAP, env=env).stdout.splitlines()
    assert before == after
    assert set(inside) <= set("[1, ]")


def test_blas_is_held_to_one_thread_from_any_thread():
    """threadpoolctl 3.8 lets only the first thread that sets the number set it, and does nothing for the others."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    before, *inside, after = run_python(FROM_ANY_THREAD, env=env).stdout.splitlines()
    assert before == after and len(inside) == 6
    assert all(set(line) <= set("[1, ]") for line in inside)


@pytest.mark.parametrize("batch", [16, 32, 64])
def test_no_product_of_a_step_wakes_the_threads_of_blas(batch, monkeypatch):
    """They wait by spinning: beside other processes, a step of LeNet took ten times as long."""
    from threadpoolctl import threadpool_limits

    net, matmul, woken = models.LeNet(), np.matmul, []

    def watched(a, b, **settings):
        size = a.shape[-2] * a.shape[-1] * b.shape[-1]
        if size > 2**18 and max(blas_threads()) > 1:
            woken.append((a.shape, b.shape))
        return matmul(a, b, **settings)

    monkeypatch.setattr(np, "matmul", watched)
    monkeypatch.setattr(parallel._pool, "libraries", None)  # another test may have loaded a BLAS since
    with threadpool_limits(2, user_api="blas"):
        net(mt.rand(batch, 1, 28, 28)).sum().backward()
    assert woken == []


FROM_ANY_THREAD = """
import sys
from threading import Thread
from minitorch_cnn.backend import parallel
from minitorch_cnn.ops import convolution, linalg
sys.path.insert(0, "tests")
from test_parallel import blas_threads

def show():
    parallel.run(lambda part: part or print(blas_threads()), range(2))

print(blas_threads())
for _ in range(3):
    show()
    thread = Thread(target=show)
    thread.start()
    thread.join()
print(blas_threads())
"""

OVERLAP = """
import sys
from threading import Event, Thread
from minitorch_cnn.backend import parallel
from minitorch_cnn.ops import convolution, linalg
sys.path.insert(0, "tests")
from test_parallel import blas_threads

def first(part):
    inside.set()
    leave.wait(20)

def second(part):
    if part == 0:
        leave.set()
        one.join(20)
        print(blas_threads())

inside, leave = Event(), Event()
one, two = (Thread(target=parallel.run, args=(f, range(2))) for f in (first, second))
print(blas_threads())
one.start()
inside.wait(20)
two.start()
two.join(20)
print(blas_threads())
"""


def test_several_trainings_at_once_are_each_as_alone(use_threads):
    def train(seed):
        generator = np.random.default_rng(seed)
        x, y = generator.random((300, 1, 28, 28), "float32"), generator.integers(0, 10, 300)
        x, y = mt.tensor(x), mt.tensor(y)
        net = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten())
        net.append(nn.Linear(6 * 14 * 14, 10))
        with mt.no_grad():
            for p in net.parameters():
                p.copy_(mt.tensor(generator.uniform(-0.1, 0.1, p.shape)))
        optimizer = mt.optim.SGD(net.parameters(), lr=0.5)
        for _ in range(5):
            optimizer.zero_grad()
            nn.CrossEntropyLoss()(net(x), y).backward()
            optimizer.step()
        return [p.detach().numpy() for p in net.parameters()]

    use_threads(2)
    alone, together = [train(seed) for seed in range(3)], {}
    threads = [threading.Thread(target=lambda i=i: together.update({i: train(i)}), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(together) == [0, 1, 2], "one was blocked, or failed"
    for i in range(3):
        for a, b in zip(alone[i], together[i], strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
    assert works()


def test_whether_operations_are_recorded_is_each_threads_own(use_threads):
    use_threads(2)
    x = mt.ones(300, 300, requires_grad=True)
    with mt.no_grad():
        assert not (x * 2).requires_grad
        assert not mt.is_grad_enabled()
    assert (x * 2).requires_grad and mt.is_grad_enabled()
    both = threading.Barrier(2)
    assert parallel.run(lambda part: both.wait(20) >= 0 and mt.is_grad_enabled(), range(2)) == [True, True]


def train_in_child(queue):
    x, y = mt.rand(256, 1, 28, 28), mt.randint(10, (256,))
    net = mt.models.LeNet()
    nn.CrossEntropyLoss()(net(x), y).backward()
    queue.put((works(), blas_threads()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("busy", [False, True])
def test_a_forked_process_has_threads_of_its_own(busy, use_threads):
    """Also if the threads were at work when it was forked."""
    use_threads(2)
    before, inside, leave = blas_threads(), threading.Event(), threading.Event()
    other = threading.Thread(
        target=parallel.run, args=(lambda part: (inside.set(), leave.wait(20)), range(2)), daemon=True
    )
    if busy:
        other.start()
        inside.wait(20)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=train_in_child, args=(queue,))
    child.start()
    child.join(30)
    leave.set()
    alive = child.is_alive()
    if alive:
        child.kill()
    assert not alive and child.exitcode == 0
    assert queue.get() == (True, before)
    if busy:
        other.join(20)
    assert works()
