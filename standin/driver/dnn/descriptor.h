// cuDNN's descriptors: only what the trainer sets, of four dimensions and channels last.
#pragma once

#include <cudnn.h>

#include "../card.h"
#include "../product.h"

struct cudnnContext {
    host::Card *card;
    CUstream stream;
};

struct cudnnTensorStruct {
    bool filled;
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    // Rows, channels, height, width.
    int sizes[4];
};

struct cudnnFilterStruct {
    bool filled;
    cudnnTensorFormat_t format;
    cudnnDataType_t type;
    // Outputs, channels of a group, height, width.
    int sizes[4];
};

struct cudnnConvolutionStruct {
    bool filled;
    int padding[2], stride[2], dilation[2], groups;
    cudnnConvolutionMode_t mode;
    cudnnDataType_t compute;
    cudnnMathType_t math;
};

struct cudnnActivationStruct {
    bool filled;
    cudnnActivationMode_t mode;
    cudnnNanPropagation_t nan;
    double coefficient;
};

namespace host {

// Whether a handle or descriptor was made and not destroyed, and filled in; says what is wrong if not.
bool is_open(const char *what, cudnnHandle_t handle);
bool is_filled(const char *what, const cudnnTensorStruct *tensor);
bool is_filled(const char *what, const cudnnFilterStruct *filter);
bool is_filled(const char *what, const cudnnConvolutionStruct *convolution);
bool is_filled(const char *what, const cudnnActivationStruct *activation);

} // namespace host
