// The activations, and the gradients of their inputs.
#pragma once

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

__device__ inline float slope(float y, float g, u32 function) {
    switch (function) {
    case RELU:
        return y > 0.0f ? g : 0.0f;
    case TANH:
        return g * (1.0f - y * y);
    case SIGMOID:
        return g * (y * (1.0f - y));
    default:
        return g;
    }
}
