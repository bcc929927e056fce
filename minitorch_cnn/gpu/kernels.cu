// What the GPU computes where CuPy has no function for it, or needs several launches for what one can do.
//
// `launch.py` compiles this file when a kernel is first needed, once for float and once for double, and starts its
// functions. Each is written from the point of view of one thread, and thousands run at once: a thread asks for its
// number and computes the elements that belong to it. No two threads write to one address, and every sum is taken in
// an order that is fixed, so that a computation that is repeated gives the same to the last bit.

typedef REAL real;

// The number of this thread among all of a launch.
__device__ int thread_number()
{
    return blockIdx.x * blockDim.x + threadIdx.x;
}

// Split the last index off a flat one: of the element that lies at `flat` in an array whose last size is `size`.
__device__ int last_index(int& flat, int size)
{
    int index = flat % size;
    flat /= size;
    return index;
}


// --- sigmoid: one thread computes one element ---------------------------------------------------------------

extern "C" __global__ void sigmoid(const real* x, real* y, int size)
{
    int i = thread_number();
    if (i < size)
        y[i] = 1 / (1 + exp(-x[i]));  // where exp overflows, the quotient is 0, and so it should be
}

extern "C" __global__ void sigmoid_gradient(const real* dy, const real* y, real* dx, int size)
{
    int i = thread_number();
    if (i < size)
        dx[i] = dy[i] * (y[i] * (1 - y[i]));
}


// --- the windows of images ----------------------------------------------------------------------------------

struct Windows {
    int n, c, h, w;              // the images
    int oh, ow;                  // how many windows there are, down and across
    int kh, kw, sh, sw, dh, dw;  // kernel, stride, dilation
    int top, left;               // how many rows and columns of zeros lie before the image
    int groups;                  // of channels
};

struct ImageStrides {
    long long n, c, h, w;        // how far it is in memory, in elements, to the next one of each
};

// columns (G, OH, KH, C/G, KW, OW, N): element (kh, kw) of each window. One thread computes one element.
extern "C" __global__ void im2col(const real* x, ImageStrides to, real* columns, Windows g, int size)
{
    int i = thread_number();
    if (i >= size)
        return;
    int rest = i, channels = g.c / g.groups;
    int n = last_index(rest, g.n), ow = last_index(rest, g.ow), kw = last_index(rest, g.kw);
    int c = last_index(rest, channels), kh = last_index(rest, g.kh), oh = last_index(rest, g.oh), group = rest;

    int h = oh * g.sh + kh * g.dh - g.top, w = ow * g.sw + kw * g.dw - g.left;
    bool is_inside = 0 <= h && h < g.h && 0 <= w && w < g.w;
    columns[i] = is_inside ? x[n * to.n + (group * channels + c) * to.c + h * to.h + w * to.w] : real(0);
}

// y (OH, C, OW, N): the sum of each window. One thread computes one element.
extern "C" __global__ void sum_windows(const real* x, ImageStrides to, real* y, Windows g, int size)
{
    int i = thread_number();
    if (i >= size)
        return;
    int rest = i;
    int n = last_index(rest, g.n), ow = last_index(rest, g.ow), c = last_index(rest, g.c), oh = rest;

    real sum = 0;
    for (int kh = 0; kh < g.kh; kh++)
        for (int kw = 0; kw < g.kw; kw++)
            sum += x[n * to.n + c * to.c + (oh * g.sh + kh) * to.h + (ow * g.sw + kw) * to.w];
    y[i] = sum;
}

struct ColumnStrides {
    long long group, oh, row;    // in elements; the columns (ow, n) of a row are neighbours
};

// x (H, C, W, N): all windows added up, each at the place it came from. One thread computes one pixel: it looks for the
// windows that see it, in the order of their elements.
extern "C" __global__ void col2im(const real* columns, ColumnStrides to, real* x, Windows g, int size)
{
    int i = thread_number();
    if (i >= size)
        return;
    int rest = i, channels = g.c / g.groups;
    int n = last_index(rest, g.n), w = last_index(rest, g.w), c = last_index(rest, g.c), h = rest;

    real sum = 0;
    for (int kh = 0; kh < g.kh; kh++) {
        int down = h + g.top - kh * g.dh, oh = down / g.sh;  // the window in which this row is row kh
        if (down < 0 || down % g.sh != 0 || oh >= g.oh)
            continue;
        for (int kw = 0; kw < g.kw; kw++) {
            int across = w + g.left - kw * g.dw, ow = across / g.sw;
            if (across < 0 || across % g.sw != 0 || ow >= g.ow)
                continue;
            int row = (kh * channels + c % channels) * g.kw + kw;
            sum += columns[c / channels * to.group + oh * to.oh + row * to.row + ow * g.n + n];
        }
    }
    x[i] = sum;
}


// --- cross-entropy of labels --------------------------------------------------------------------------------

struct Logits {
    const real* x;
    long long to_row, to_class;  // strides, in elements
    int rows, classes;

    __device__ real at(int row, int j) const { return x[row * to_row + j * to_class]; }

    __device__ bool has(long long label) const { return 0 <= label && label < classes; }

    __device__ real largest(int row) const
    {
        real largest = at(row, 0);
        for (int j = 1; j < classes; j++)
            largest = at(row, j) > largest ? at(row, j) : largest;
        return largest;
    }

    __device__ real sum_of_exponentials(int row, real largest) const
    {
        real sum = 0;
        for (int j = 0; j < classes; j++)
            sum += exp(at(row, j) - largest);
        return sum;
    }
};

const int LOSS_THREADS = 256;

// losses: log Σ exp x - x[label] of each row; 0 where the label is to be ignored, NaN where it is no class.
// totals: their sum, the number of rows that count, and the quotient. One block of LOSS_THREADS threads computes it all.
extern "C" __global__ void cross_entropy(
    Logits logits, const long long* labels, long long ignore_index, real* losses, real* totals)
{
    __shared__ real sums[LOSS_THREADS], counts[LOSS_THREADS];
    int t = threadIdx.x;
    sums[t] = counts[t] = 0;
    for (int row = t; row < logits.rows; row += LOSS_THREADS) {
        long long label = labels[row];
        real loss = 0;
        if (label != ignore_index) {
            real largest = logits.largest(row);
            loss = log(logits.sum_of_exponentials(row, largest));
            loss -= logits.has(label) ? logits.at(row, label) - largest : real(nan(""));
            counts[t] += 1;
        }
        losses[row] = loss;
        sums[t] += loss;
    }
    for (int half = LOSS_THREADS / 2; half > 0; half /= 2) {  // in each round, half of the threads add two sums
        __syncthreads();
        if (t < half) {
            sums[t] += sums[t + half];
            counts[t] += counts[t + half];
        }
    }
    if (t == 0) {
        totals[0] = sums[0];
        totals[1] = counts[0];
        totals[2] = sums[0] / counts[0];
    }
}

// dx (rows, classes): dy (softmax x - 1 at the label), where dy is one number, or one for each row; of the mean, the
// part of a row is divided by their count. One thread computes one row.
extern "C" __global__ void cross_entropy_gradient(
    Logits logits, const long long* labels, long long ignore_index, const real* dy, long long to_dy,
    const real* totals, int is_mean, real* dx)
{
    int row = thread_number();
    if (row >= logits.rows)
        return;
    long long label = labels[row];
    bool is_ignored = label == ignore_index;
    real scale = dy[row * to_dy] / (is_mean ? totals[1] : real(1));
    if (!logits.has(label))
        scale = nan("");
    real largest = logits.largest(row), sum = logits.sum_of_exponentials(row, largest);
    for (int j = 0; j < logits.classes; j++) {
        real p = exp(logits.at(row, j) - largest) / sum;
        dx[row * logits.classes + j] = is_ignored ? real(0) : scale * (p - (j == label));
    }
}


// --- stochastic gradient descent ----------------------------------------------------------------------------

const int TENSORS = 32;  // how many one launch can take; kernels.py knows the same number

struct Parameters {
    real* parameter[TENSORS];
    const real* gradient[TENSORS];
    real* velocity[TENSORS];  // not touched without momentum
    int size[TENSORS];
};

// Many tensors in one launch: block (i, t) changes a piece of tensor t. The settings lie in the GPU's memory, and not
// among the arguments, so that they can be changed between two launches of one graph.
extern "C" __global__ void sgd(Parameters tensors, const real* settings)
{
    int i = thread_number(), t = blockIdx.y;
    if (i >= tensors.size[t])
        return;
    real lr = settings[0], momentum = settings[1], fresh = settings[2], weight_decay = settings[3];
    bool nesterov = settings[4] != 0, maximize = settings[5] != 0;

    real w = tensors.parameter[t][i], g = tensors.gradient[t][i];
    if (maximize)
        g = -g;
    if (weight_decay != 0)
        g += weight_decay * w;
    if (momentum != 0) {
        real v = momentum * tensors.velocity[t][i] + fresh * g;
        tensors.velocity[t][i] = v;
        g = nesterov ? g + momentum * v : v;
    }
    tensors.parameter[t][i] = w - lr * g;
}


// --- the matrix product -------------------------------------------------------------------------------------

struct MatrixStrides {
    long long batch, row, column;  // in elements; they may be anything, so that a matrix may be a transposed view
};

const int ROWS = 16, COLUMNS = 64, DEPTH = 16;  // kernels.py knows the same numbers

// y (splits, batch, M, N): a (batch, M, K) times b (batch, K, N), where the sum over K is cut into `splits` parts that
// are still to be added. A block of 16 × 16 threads computes a tile of y, ROWS × COLUMNS. It takes DEPTH columns of a
// and DEPTH rows of b at a time into the memory that its threads share: an element is fetched once for the whole tile.
extern "C" __global__ void matmul(
    const real* a, MatrixStrides to_a, const real* b, MatrixStrides to_b, real* y, int batch, int m, int k, int n,
    int depth_of_split)
{
    __shared__ real a_tile[ROWS][DEPTH + 1], b_tile[DEPTH][COLUMNS + 1];  // + 1: no two rows in one memory bank
    int split = blockIdx.z / batch, number = blockIdx.z % batch;
    int row0 = blockIdx.y * ROWS, column0 = blockIdx.x * COLUMNS;
    int tx = threadIdx.x, ty = threadIdx.y;
    int begin = split * depth_of_split, end = begin + depth_of_split < k ? begin + depth_of_split : k;
    a += number * to_a.batch;
    b += number * to_b.batch;

    // Neighbouring threads, those of neighbouring tx, fetch neighbouring elements.
    int a_row = to_a.column == 1 ? ty : tx, a_depth = to_a.column == 1 ? tx : ty;
    int b_column = to_b.column == 1 ? tx : ty, b_depth = to_b.column == 1 ? ty : tx;

    real sum[COLUMNS / 16] = {};
    for (int depth0 = begin; depth0 < end; depth0 += DEPTH) {
        bool in_a = row0 + a_row < m && depth0 + a_depth < end;
        a_tile[a_row][a_depth] = in_a ? a[(row0 + a_row) * to_a.row + (depth0 + a_depth) * to_a.column] : real(0);
        for (int j = b_column; j < COLUMNS; j += 16) {
            bool in_b = depth0 + b_depth < end && column0 + j < n;
            b_tile[b_depth][j] = in_b ? b[(depth0 + b_depth) * to_b.row + (column0 + j) * to_b.column] : real(0);
        }
        __syncthreads();
        for (int d = 0; d < DEPTH; d++)
            for (int j = 0; j < COLUMNS / 16; j++)
                sum[j] += a_tile[ty][d] * b_tile[d][tx + 16 * j];
        __syncthreads();
    }
    for (int j = 0; j < COLUMNS / 16; j++) {
        int row = row0 + ty, column = column0 + tx + 16 * j;
        if (row < m && column < n)
            y[((long long)blockIdx.z * m + row) * n + column] = sum[j];
    }
}
