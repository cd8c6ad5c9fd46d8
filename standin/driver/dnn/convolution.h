// A convolution of NHWC images, and its three passes by products of patches.
#pragma once

#include <cudnn.h>

#include "../product.h"

namespace host {

struct Convolution {
    Kind kind;
    // Whether factors are rounded to TF32.
    bool tf32;
    std::size_t rows, height, width, inputs, outputs, high, wide;
    std::size_t kernel_high, kernel_wide, stride_high, stride_wide, padding_high, padding_wide, groups;

    std::size_t input_len() const { return rows * height * width * inputs; }
    std::size_t output_len() const { return rows * high * wide * outputs; }
    std::size_t weight_len() const { return outputs * kernel_high * kernel_wide * (inputs / groups); }
};

// The factors of a result: `times * new + keep * old`; with 0 the old is not read.
struct Blend {
    float times, keep;
};

// What is added to the values of the forward pass after the factors: bias, then ReLU.
struct Epilogue {
    const void *bias;
    bool relu;
};

// `halved` sums up each half of a patch by itself, as another algorithm may: the last bits differ.
void forward(const Convolution &c, const void *x, const void *w, void *y, Blend blend, const Epilogue *epilogue, bool halved);
void backward_data(const Convolution &c, const void *w, const void *dy, void *dx, Blend blend);
// With `shuffled`, a seed that is not 0, images are summed up in another order.
void backward_filter(const Convolution &c, const void *x, const void *dy, void *dw, Blend blend, unsigned shuffled);

} // namespace host
