// Bias and activation in place, and the gradient of an activation's input from its output: in place, or
// from two columns of channels to all of them together.
#include "activation.cuh"

template <u32 N> __device__ inline void add_bias(float (&x)[N], const float *bias) {
#pragma unroll
    for (u32 j = 0; j < N; j += 4) {
        float b[4];
        load_pack<4>(bias + j, b);
#pragma unroll
        for (u32 k = 0; k < 4; k++) {
            x[j + k] = x[j + k] + b[k];
        }
    }
}

template <class T>
__device__ void bias_activation(T *values, const float *bias, u64 n, u32 channels, u32 function) {
    constexpr u32 N = Few<T>::LEN;
    u64 done = 0;
    // Without a bias rows do not matter, and what is left at the end goes one by one.
    if (on_bound<N>(values) && on_bound<4>(bias) && (bias == nullptr || whole_packs<N>(channels))) {
        done = n - n % N;
        for (u64 i = first(); i < done / N; i += stride()) {
            float x[N];
            load_pack<N>(values + i * N, x);
            if (bias != nullptr) {
                add_bias<N>(x, bias + (u32)i % (channels / N) * N);
            }
#pragma unroll
            for (u32 j = 0; j < N; j++) {
                x[j] = activate(x[j], function);
            }
            store_pack<N>(values + i * N, x);
        }
    }
    for (u64 i = done + first(); i < n; i += stride()) {
        float x = load(values, i);
        if (bias != nullptr) {
            x = x + bias[(u32)i % channels];
        }
        store(values, i, activate(x, function));
    }
}

template <class T> __device__ void activation_backward(const T *output, T *gradient, u64 n, u32 function) {
    constexpr u32 N = Few<T>::LEN;
    u64 done = 0;
    if (on_bound<N>(output) && on_bound<N>(gradient)) {
        done = n - n % N;
        for (u64 i = first(); i < done / N; i += stride()) {
            float y[N], g[N];
            load_pack<N>(output + i * N, y);
            load_pack<N>(gradient + i * N, g);
#pragma unroll
            for (u32 j = 0; j < N; j++) {
                g[j] = slope(y[j], g[j], function);
            }
            store_pack<N>(gradient + i * N, g);
        }
    }
    for (u64 i = done + first(); i < n; i += stride()) {
        store(gradient, i, slope(load(output, i), load(gradient, i), function));
    }
}

// The same from two columns, each a tensor of its own, to pixels with all their channels.
template <class T, u32 N>
__device__ void join(const T *output, const T *gradient, T *joined, u64 n, u32 channels, u32 function) {
    const u32 part = channels / 2;
    for (u64 i = first(); i < n / N; i += stride()) {
        const u32 pixel = (u32)i / (channels / N), c = ((u32)i - pixel * (channels / N)) * N;
        const u64 from = c < part ? (u64)pixel * part + c : n / 2 + (u64)pixel * part + (c - part);
        float y[N], g[N];
        if constexpr (N == 1) {
            y[0] = load(output, from);
            g[0] = load(gradient, from);
            store(joined, i, slope(y[0], g[0], function));
        } else {
            load_pack<N>(output + from, y);
            load_pack<N>(gradient + from, g);
#pragma unroll
            for (u32 j = 0; j < N; j++) {
                g[j] = slope(y[j], g[j], function);
            }
            store_pack<N>(joined + i * N, g);
        }
    }
}

template <class T>
__device__ void activation_backward_joined(const T *output, const T *gradient, T *joined, u64 n, u32 channels,
                                           u32 function) {
    constexpr u32 N = Few<T>::LEN;
    if (whole_packs<N>(channels / 2) && on_bound<N>(output) && on_bound<N>(gradient) && on_bound<N>(joined)) {
        join<T, N>(output, gradient, joined, n, channels, function);
    } else {
        join<T, 1>(output, gradient, joined, n, channels, function);
    }
}

#define ACTIVATION(T, suffix)                                                                       \
    extern "C" __global__ void bias_activation_##suffix(T *values, const float *bias, u64 n,        \
                                                        u32 channels, u32 function) {               \
        bias_activation<T>(values, bias, n, channels, function);                                    \
    }                                                                                               \
    extern "C" __global__ void activation_backward_##suffix(const T *output, T *gradient, u64 n,    \
                                                            u32 function) {                         \
        activation_backward<T>(output, gradient, n, function);                                      \
    }                                                                                               \
    extern "C" __global__ void activation_backward_joined_##suffix(                                 \
        const T *output, const T *gradient, T *joined, u64 n, u32 channels, u32 function) {         \
        activation_backward_joined<T>(output, gradient, joined, n, channels, function);             \
    }
ACTIVATION(float, f32)
ACTIVATION(bf16, bf16)
