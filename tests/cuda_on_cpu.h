// Enough of CUDA to run kernels on a CPU: one block after the other, and the threads of a block in turns.
//
// A thread runs until it ends or comes to __syncthreads(); then the next one has its turn, and when all have come so
// far, they go on. In `order` -1 the last thread is first: a kernel that lacks a __syncthreads() gives another result.

#include <ucontext.h>

#include <cmath>
#include <cstring>
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

const size_t STACK = 1 << 16;
struct Thread {
    ucontext_t context;
    dim3 index;
    bool is_done;
};
static ucontext_t scheduler;
static Thread* running;
static void (*body)(void**);
static void** arguments;

static void run()
{
    body(arguments);
    running->is_done = true;
    swapcontext(&running->context, &scheduler);
}

// One block. A barrier that only some of the threads reach is an error, as it hangs a GPU.
static bool block(int order)
{
    static std::vector<char> stacks;
    std::vector<Thread> threads;
    for (unsigned z = 0; z < blockDim.z; z++)
        for (unsigned y = 0; y < blockDim.y; y++)
            for (unsigned x = 0; x < blockDim.x; x++)
                threads.push_back({{}, {x, y, z}, false});
    stacks.resize(threads.size() * STACK);
    for (size_t i = 0; i < threads.size(); i++) {
        getcontext(&threads[i].context);
        threads[i].context.uc_stack.ss_sp = &stacks[i * STACK];
        threads[i].context.uc_stack.ss_size = STACK;
        makecontext(&threads[i].context, run, 0);
    }
    for (;;) {
        size_t done = 0;
        for (size_t i = 0; i < threads.size(); i++) {
            running = &threads[order > 0 ? i : threads.size() - 1 - i];
            threadIdx = running->index;
            swapcontext(&scheduler, &running->context);
            done += running->is_done;
        }
        if (done == threads.size())
            return true;
        if (done)
            return false;
    }
}

}  // namespace fibers

static void __syncthreads()
{
    swapcontext(&fibers::running->context, &fibers::scheduler);
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
