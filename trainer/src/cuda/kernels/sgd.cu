// One step of all parameters, v <- momentum v - decay w - lr g; w <- w + v, with the CPU's order of
// operations, and the length of the gradient, which is summed up where it is read. A row of blocks for each
// parameter.
#include "kernels.cuh"

// As kernels/sgd.rs writes it.
struct Entry {
    float *weight;
    float *velocity;
    const void *gradient;
    // A bf16 copy of the weight, or null.
    bf16 *copy;
    u64 len;
    // Which of the launch's rates is its own.
    u32 rate;
    u32 gradient_is_bf16;
    u32 moves;
    u32 unused;
};
static_assert(sizeof(Entry) == 56, "kernels/sgd.rs has the same size");

__device__ inline float gradient_at(const Entry &entry, u64 i) {
    return entry.gradient_is_bf16 ? load(static_cast<const bf16 *>(entry.gradient), i)
                                  : load(static_cast<const float *>(entry.gradient), i);
}

__device__ inline bool gradient_on_bound(const Entry &entry) {
    return entry.gradient_is_bf16 ? on_bound<4>(static_cast<const bf16 *>(entry.gradient))
                                  : on_bound<4>(static_cast<const float *>(entry.gradient));
}

__device__ inline void gradients_at(const Entry &entry, u64 i, float (&g)[4]) {
    if (entry.gradient_is_bf16) {
        load_pack<4>(static_cast<const bf16 *>(entry.gradient) + i, g);
    } else {
        load_pack<4>(static_cast<const float *>(entry.gradient) + i, g);
    }
}

struct Rate {
    float lr;
    // Weight decay times lr.
    float decay;
};

// The squares of a block's part of a gradient; four by four, wherever the gradient begins, so that the order of
// the sum does not depend on that.
__device__ inline double update(const Entry &entry, float momentum, const Rate &rate) {
    const bool packs = on_bound<4>(entry.weight) && on_bound<4>(entry.velocity) && gradient_on_bound(entry) &&
                       on_bound<4>(entry.copy);
    double squares = 0.0;
    for (u64 i = first() * 4; i < entry.len; i += stride() * 4) {
        const bool whole = packs && i + 4 <= entry.len;
        const u32 count = entry.len - i < 4 ? (u32)(entry.len - i) : 4;
        float g[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (whole) {
            gradients_at(entry, i, g);
        } else {
            for (u32 j = 0; j < count; j++) {
                g[j] = gradient_at(entry, i + j);
            }
        }
#pragma unroll
        for (u32 j = 0; j < 4; j++) {
            squares += (double)g[j] * (double)g[j];
        }
        if (!entry.moves) {
            continue;
        }
        float w[4] = {0.0f, 0.0f, 0.0f, 0.0f}, v[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (whole) {
            load_pack<4>(entry.weight + i, w);
            load_pack<4>(entry.velocity + i, v);
        } else {
            for (u32 j = 0; j < count; j++) {
                w[j] = entry.weight[i + j];
                v[j] = entry.velocity[i + j];
            }
        }
#pragma unroll
        for (u32 j = 0; j < 4; j++) {
            v[j] = momentum * v[j] - rate.decay * w[j] - rate.lr * g[j];
            w[j] = w[j] + v[j];
        }
        if (whole) {
            store_pack<4>(entry.velocity + i, v);
            store_pack<4>(entry.weight + i, w);
            if (entry.copy != nullptr) {
                store_pack<4>(entry.copy + i, w);
            }
        } else {
            for (u32 j = 0; j < count; j++) {
                entry.velocity[i + j] = v[j];
                entry.weight[i + j] = w[j];
                if (entry.copy != nullptr) {
                    store(entry.copy, i + j, w[j]);
                }
            }
        }
    }
    return squares;
}

// The rates are arguments, since they may change with every step; the entries stay.
extern "C" __global__ void sgd(const Entry *entries, u32 count, float momentum, float lr0, float decay0, float lr1,
                               float decay1, float lr2, float decay2, float lr3, float decay3, double *partial) {
    __shared__ double shared[BLOCK];
    if (blockIdx.y >= count) {
        return;
    }
    const Entry entry = entries[blockIdx.y];
    double *const own = partial + (u64)blockIdx.y * gridDim.x + blockIdx.x;
    // Blocks beyond a short parameter.
    if ((u64)blockIdx.x * BLOCK * 4 >= entry.len) {
        if (threadIdx.x == 0) {
            *own = 0.0;
        }
        return;
    }
    const Rate rate = entry.rate == 0   ? Rate{lr0, decay0}
                      : entry.rate == 1 ? Rate{lr1, decay1}
                      : entry.rate == 2 ? Rate{lr2, decay2}
                                        : Rate{lr3, decay3};
    const double sum = block_sum(update(entry, momentum, rate), shared);
    if (threadIdx.x == 0) {
        *own = sum;
    }
}

// Adds all partial sums of squares to the norm's; one block.
extern "C" __global__ void norm_final(const double *partial, double *norm, u32 n) {
    __shared__ double shared[BLOCK];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < n; i += BLOCK) {
        sum += partial[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        *norm += sum;
    }
}
