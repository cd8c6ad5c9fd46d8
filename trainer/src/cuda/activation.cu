// Bias and activation in place, and the gradient of an activation's input from its output.
#include "kernels.cuh"

enum { NONE = 0, RELU = 1, TANH = 2, SIGMOID = 3 };

__device__ inline float activate(float x, u32 function) {
    switch (function) {
    case RELU:
        // NaN stays, so that a broken step shows in the loss.
        return x < 0.0f ? 0.0f : x;
    case TANH:
        return tanhf(x);
    case SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    default:
        return x;
    }
}

template <class T>
__device__ void bias_activation(T *values, const float *bias, u64 n, u32 channels, u32 function) {
    for (u64 i = first(); i < n; i += stride()) {
        float x = load(values, i);
        if (bias != nullptr) {
            x = x + bias[i % channels];
        }
        store(values, i, activate(x, function));
    }
}

template <class T> __device__ void activation_backward(const T *output, T *gradient, u64 n, u32 function) {
    for (u64 i = first(); i < n; i += stride()) {
        const float y = load(output, i), g = load(gradient, i);
        float result = g;
        if (function == RELU) {
            result = y > 0.0f ? g : 0.0f;
        } else if (function == TANH) {
            result = g * (1.0f - y * y);
        } else if (function == SIGMOID) {
            result = g * (y * (1.0f - y));
        }
        store(gradient, i, result);
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
    }
ACTIVATION(float, f32)
ACTIVATION(bf16, bf16)
