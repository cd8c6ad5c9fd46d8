#include "descriptor.h"

#include <mutex>
#include <set>

#include "../say.h"
#include "../stream.h"

namespace host {

static std::mutex mutex;
// Handles and descriptors that are open.
static std::set<const void *> open;

static bool known(const char *what, const void *one) {
    const std::lock_guard lock(mutex);
    if (!open.contains(one)) {
        wrong("%s: no such descriptor or handle", what);
        return false;
    }
    return true;
}

template <class T> static cudnnStatus_t make(T **out) {
    *out = new T{};
    const std::lock_guard lock(mutex);
    open.insert(*out);
    return CUDNN_STATUS_SUCCESS;
}

template <class T> static cudnnStatus_t destroy_one(const char *what, T *one) {
    if (!known(what, one)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    const std::lock_guard lock(mutex);
    open.erase(one);
    delete one;
    return CUDNN_STATUS_SUCCESS;
}

template <class T> static bool filled(const char *what, const T *one) {
    if (!known(what, one)) {
        return false;
    }
    if (!one->filled) {
        wrong("%s: a descriptor was not filled in", what);
    }
    return one->filled;
}

bool is_open(const char *what, cudnnHandle_t handle) { return known(what, handle); }
bool is_filled(const char *what, const cudnnTensorStruct *tensor) { return filled(what, tensor); }
bool is_filled(const char *what, const cudnnFilterStruct *filter) { return filled(what, filter); }
bool is_filled(const char *what, const cudnnConvolutionStruct *convolution) { return filled(what, convolution); }
bool is_filled(const char *what, const cudnnActivationStruct *activation) { return filled(what, activation); }

// Sizes of a tensor or of kernels.
template <class T>
static cudnnStatus_t fill(const char *what, T *one, cudnnTensorFormat_t format, cudnnDataType_t type, int a, int b, int c, int d) {
    if (!known(what, one)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (a <= 0 || b <= 0 || c <= 0 || d <= 0) {
        wrong("%s: sizes %d, %d, %d, %d", what, a, b, c, d);
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (format != CUDNN_TENSOR_NHWC || (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16)) {
        fatal("%s: only NHWC values of f32 and bf16 are provided", what);
    }
    if (std::size_t(a) * b * c * d > 0x7FFFFFFF) {
        refused("%s: more than 2^31 - 1 values", what);
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *one = T{true, format, type, {a, b, c, d}};
    return CUDNN_STATUS_SUCCESS;
}

} // namespace host

using namespace host;

extern "C" {

size_t cudnnGetVersion() { return CUDNN_VERSION; }

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    if (current() == nullptr) {
        wrong("cudnnCreate: this thread has no context");
        return CUDNN_STATUS_NOT_INITIALIZED;
    }
    make(handle);
    (*handle)->card = current();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    if (is_open("cudnnDestroy", handle) && !is_context(reinterpret_cast<CUcontext>(handle->card))) {
        wrong("cudnnDestroy after its context was released");
    }
    return destroy_one("cudnnDestroy", handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    if (!is_open("cudnnSetStream", handle)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    const Stream *own = stream_of("cudnnSetStream", stream);
    if (own == nullptr || own->card != handle->card) {
        wrong("cudnnSetStream: the stream is not of the handle's card");
        return CUDNN_STATUS_BAD_PARAM;
    }
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *out) { return make(out); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t one) { return destroy_one("cudnnDestroyTensorDescriptor", one); }
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t one, cudnnTensorFormat_t format, cudnnDataType_t type, int n, int c, int h, int w) {
    return fill("cudnnSetTensor4dDescriptor", one, format, type, n, c, h, w);
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *out) { return make(out); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t one) { return destroy_one("cudnnDestroyFilterDescriptor", one); }
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t one, cudnnDataType_t type, cudnnTensorFormat_t format, int k, int c, int h, int w) {
    return fill("cudnnSetFilter4dDescriptor", one, format, type, k, c, h, w);
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *out) { return make(out); }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t one) { return destroy_one("cudnnDestroyConvolutionDescriptor", one); }

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t one, int pad_h, int pad_w, int u, int v, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode, cudnnDataType_t compute) {
    const char *what = "cudnnSetConvolution2dDescriptor";
    if (!known(what, one)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (pad_h < 0 || pad_w < 0 || u <= 0 || v <= 0 || dilation_h <= 0 || dilation_w <= 0) {
        wrong("%s: padding %d %d, stride %d %d, dilation %d %d", what, pad_h, pad_w, u, v, dilation_h, dilation_w);
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (mode != CUDNN_CROSS_CORRELATION || compute != CUDNN_DATA_FLOAT || dilation_h != 1 || dilation_w != 1) {
        fatal("%s: only cross-correlation in f32 without dilation is provided", what);
    }
    *one = cudnnConvolutionStruct{true, {pad_h, pad_w}, {u, v}, {dilation_h, dilation_w}, 1, mode, compute, CUDNN_DEFAULT_MATH};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t one, int groups) {
    if (!is_filled("cudnnSetConvolutionGroupCount", one) || groups <= 0) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    one->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t one, cudnnMathType_t math) {
    if (!is_filled("cudnnSetConvolutionMathType", one) || math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    one->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t *out) { return make(out); }
cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t one) { return destroy_one("cudnnDestroyActivationDescriptor", one); }
cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t one, cudnnActivationMode_t mode, cudnnNanPropagation_t nan, double coefficient) {
    if (!known("cudnnSetActivationDescriptor", one)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    *one = cudnnActivationStruct{true, mode, nan, coefficient};
    return CUDNN_STATUS_SUCCESS;
}

// Descriptors hold nothing of a card, but a program that leaves them open leaks.
[[gnu::destructor]] static void tell() {
    if (!open.empty()) {
        wrong("%zu of cuDNN's handles and descriptors are open at the end", open.size());
    }
}

} // extern "C"
