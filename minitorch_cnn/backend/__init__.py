"""Arrays of NumPy or CuPy, their types and devices, random numbers, threads. It imports nothing of the other rooms."""

from minitorch_cnn.backend.arrays import (
    add_to_rows,
    asarray,
    can_write,
    copied_with_owner,
    device_of,
    filled,
    from_dlpack,
    get_array_module,
    in_memory_order,
    inverse,
    keep_freed_memory,
    memory_order,
    scatter_add,
    share_memory,
    strided,
    synchronize,
    to_numpy,
)
from minitorch_cnn.backend.devices import (
    CPU,
    CUDA,
    Device,
    as_device,
    auto_device,
    device_name,
    is_available,
    unavailable_reason,
)
from minitorch_cnn.backend.settings import before_step, checks_are_deferred, deferred_checks
