// Enough of CUDA to run kernels on a CPU: one block after the other, and the threads of a block in turns.
//
// A thread runs until it ends or comes to __syncthreads(); then the next one has its turn, and when all have come so
// far, they go on. In `order` -1 the last thread is first: a kernel that lacks a __syncthreads() gives another result.

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <vector>

using std::exp;
using std::log;

#define __global__
#define __device__
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace fibers {

// A thread with a stack of its own, which is given kernel after kernel to run.
struct Thread {
    std::vector<char> stack = std::vector<char>(1 << 16);
    ucontext_t start;
    jmp_buf here;
    bool is_started = false, is_done = true;
};
static std::vector<Thread*> threads;
static Thread* running;
static jmp_buf scheduler;
static void (*body)(void**);
static void** arguments;

static void yield()
{
    if (!_setjmp(running->here))
        _longjmp(scheduler, 1);
}

static void run()
{
    for (;;) {
        body(arguments);
        running->is_done = true;
        yield();
    }
}

static void resume(Thread* thread)
{
    running = thread;
    if (_setjmp(scheduler))
        return;  // the thread has yielded
    if (thread->is_started)
        _longjmp(thread->here, 1);
    thread->is_started = true;
    getcontext(&thread->start);
    thread->start.uc_stack.ss_sp = thread->stack.data();
    thread->start.uc_stack.ss_size = thread->stack.size();
    makecontext(&thread->start, run, 0);
    setcontext(&thread->start);
}

// One block. A barrier that only some of the threads reach is an error, as it hangs a GPU.
static bool block(int order)
{
    unsigned count = blockDim.x * blockDim.y * blockDim.z;
    while (threads.size() < count)
        threads.push_back(new Thread);
    for (unsigned i = 0; i < count; i++)
        threads[i]->is_done = false;
    for (;;) {
        unsigned done = 0;
        for (unsigned turn = 0; turn < count; turn++) {
            unsigned i = order > 0 ? turn : count - 1 - turn;
            threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
            resume(threads[i]);
            done += threads[i]->is_done;
        }
        if (done == count)
            return true;
        if (done) {
            threads.clear();  // some wait in the middle of a kernel, for ever
            return false;
        }
    }
}

}  // namespace fibers

static void __syncthreads()
{
    fibers::yield();
}

// Call a kernel of any signature with arguments given by their addresses, as CUDA's driver does.
template <class... A, size_t... I>
void call(void (*kernel)(A...), void** args, std::index_sequence<I...>)
{
    kernel(*static_cast<A*>(args[I])...);
}

template <class... A>
void call(void (*kernel)(A...), void** args)
{
    call(kernel, args, std::index_sequence_for<A...>());
}

template <class... A>
std::vector<size_t> sizes_of(void (*)(A...))
{
    return {sizeof(A)...};
}

static bool launch(void (*body)(void**), const unsigned* grid, const unsigned* block, void** args, bool waits, int order)
{
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    fibers::body = body;
    fibers::arguments = args;
    for (unsigned z = 0; z < gridDim.z; z++)
        for (unsigned y = 0; y < gridDim.y; y++)
            for (unsigned x = 0; x < gridDim.x; x++) {
                blockIdx = {x, y, z};
                if (waits) {
                    if (!fibers::block(order))
                        return false;
                    continue;
                }
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; threadIdx.z++)
                    for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
                        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
                            body(args);
            }
    return true;
}

// For each kernel, two functions for Python: what its arguments weigh, and the launch.
#define KERNEL(name, waits)                                                                                         \
    static void body_of_##name(void** args) { call(name, args); }                                                   \
    extern "C" int sizes_of_##name(size_t* sizes)                                                                   \
    {                                                                                                               \
        std::vector<size_t> found = sizes_of(name);                                                                 \
        std::copy(found.begin(), found.end(), sizes);                                                               \
        return found.size();                                                                                        \
    }                                                                                                               \
    extern "C" bool launch_##name(const unsigned* grid, const unsigned* block, void** args, int order)              \
    {                                                                                                               \
        return launch(body_of_##name, grid, block, args, waits, order);                                             \
    }
