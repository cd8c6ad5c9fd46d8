// The part of cuBLAS that the trainer calls: products of f32 and bf16 matrices, columns first, in f32.
#include <cublas_v2.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <vector>

#include "card.h"
#include "memory.h"
#include "product.h"
#include "say.h"
#include "stream.h"

using namespace host;

struct cublasContext {
    Card *card;
    CUstream stream;
};

static std::mutex mutex;
static std::set<cublasHandle_t> handles;

static bool is_open(const char *what, cublasHandle_t handle) {
    const std::lock_guard lock(mutex);
    if (!handles.contains(handle)) {
        wrong("%s: no handle", what);
        return false;
    }
    return true;
}

static bool kind_of(cudaDataType type, Kind &kind) {
    kind = type == CUDA_R_32F ? Kind::F32 : Kind::Bf16;
    return type == CUDA_R_32F || type == CUDA_R_16BF;
}

// Bytes from the first to the last value of a matrix of columns.
static std::size_t extent(std::size_t rows, std::size_t columns, std::size_t leading, Kind kind) {
    return ((columns - 1) * leading + rows) * bytes_of(kind);
}

extern "C" {

cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value) {
    *value = type == MAJOR_VERSION ? CUBLAS_VER_MAJOR : type == MINOR_VERSION ? CUBLAS_VER_MINOR : CUBLAS_VER_PATCH;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle) {
    if (current() == nullptr) {
        wrong("cublasCreate: this thread has no context");
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    *handle = new cublasContext{current(), nullptr};
    const std::lock_guard lock(mutex);
    handles.insert(*handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    if (!is_open("cublasDestroy", handle)) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    if (!is_context(reinterpret_cast<CUcontext>(handle->card))) {
        wrong("cublasDestroy after its context was released");
    }
    const std::lock_guard lock(mutex);
    handles.erase(handle);
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
    if (!is_open("cublasSetStream", handle)) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    const Stream *own = stream_of("cublasSetStream", stream);
    if (own == nullptr || own->card != handle->card) {
        wrong("cublasSetStream: the stream is not of the handle's card");
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t a_turn, cublasOperation_t b_turn, int m, int n, int k,
                            const void *alpha, const void *a, cudaDataType a_type, int a_leading, const void *b,
                            cudaDataType b_type, int b_leading, const void *beta, void *c, cudaDataType c_type,
                            int c_leading, cublasComputeType_t compute, cublasGemmAlgo_t) {
    const char *what = "cublasGemmEx";
    if (!is_open(what, handle)) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    Stream *stream = stream_of(what, handle->stream);
    if (stream == nullptr) {
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    if ((a_turn != CUBLAS_OP_N && a_turn != CUBLAS_OP_T) || (b_turn != CUBLAS_OP_N && b_turn != CUBLAS_OP_T)) {
        fatal("%s: only N and T are provided", what);
    }
    const bool a_turned = a_turn == CUBLAS_OP_T, b_turned = b_turn == CUBLAS_OP_T;
    // What stands in memory.
    const int a_rows = a_turned ? k : m, a_columns = a_turned ? m : k;
    const int b_rows = b_turned ? n : k, b_columns = b_turned ? k : n;
    if (m < 0 || n < 0 || k < 0 || a_leading < std::max(1, a_rows) || b_leading < std::max(1, b_rows) || c_leading < std::max(1, m)) {
        wrong("%s: %d x %d x %d with leading dimensions %d, %d and %d", what, m, n, k, a_leading, b_leading, c_leading);
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (m == 0 || n == 0 || k == 0) {
        fatal("%s: empty products are not provided", what);
    }
    Kind a_kind, b_kind, c_kind;
    const bool known = kind_of(a_type, a_kind) & kind_of(b_type, b_kind) & kind_of(c_type, c_kind);
    const bool tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const bool fits = known && a_kind == b_kind && (a_kind == Kind::Bf16 || c_kind == Kind::F32) &&
                      (compute == CUBLAS_COMPUTE_32F || (tf32 && a_kind == Kind::F32));
    if (!fits) {
        wrong("%s: types %d, %d and %d with compute type %d", what, a_type, b_type, c_type, compute);
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    const auto address = [](const void *pointer) { return reinterpret_cast<Address>(pointer); };
    const int card = stream->card->number;
    const std::size_t a_bytes = extent(a_rows, a_columns, a_leading, a_kind);
    const std::size_t b_bytes = extent(b_rows, b_columns, b_leading, b_kind);
    const std::size_t c_bytes = extent(m, n, c_leading, c_kind);
    if (!names_memory(what, card, address(a), a_bytes) || !names_memory(what, card, address(b), b_bytes) ||
        !names_memory(what, card, address(c), c_bytes)) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const auto apart = [&](const void *input, std::size_t bytes) {
        return address(input) + bytes <= address(c) || address(c) + c_bytes <= address(input);
    };
    if (!apart(a, a_bytes) || !apart(b, b_bytes)) {
        fatal("%s: the product overlaps a factor", what);
    }
    const float times = *static_cast<const float *>(alpha), keep = *static_cast<const float *>(beta);
    if (address(alpha) % 4 != 0 || on_card(address(alpha)) || on_card(address(beta))) {
        fatal("%s: factors are f32 values of the host", what);
    }
    queue(stream, what, [=] {
        touch(what, card, address(a), a_bytes);
        touch(what, card, address(b), b_bytes);
        touch(what, card, address(c), c_bytes);
        // Row by row it is c^T = op(b)^T op(a)^T.
        const std::size_t al = a_leading, bl = b_leading, rows = n, width = m;
        const Matrix left{nullptr, b_kind, b_turned ? 1 : bl, b_turned ? bl : 1, tf32};
        const Matrix right{a, a_kind, a_turned ? 1 : al, a_turned ? al : 1, tf32};
        constexpr std::size_t PART = 96;
        each((rows + PART - 1) / PART, [&](std::size_t part) {
            const std::size_t from = part * PART, count = std::min(PART, rows - from);
            std::vector<float> sums(count * width);
            Matrix own = left;
            own.values = static_cast<const std::byte *>(b) + from * own.row * bytes_of(b_kind);
            multiply(count, width, static_cast<std::size_t>(k), own, right, sums.data(), width, false);
            for (std::size_t i = 0; i < count; i++) {
                for (std::size_t j = 0; j < width; j++) {
                    const std::size_t to = (from + i) * static_cast<std::size_t>(c_leading) + j;
                    const float old = keep == 0.0f ? 0.0f : keep * load(c, c_kind, to);
                    store(c, c_kind, to, times * sums[i * width + j] + old);
                }
            }
        });
    });
    return CUBLAS_STATUS_SUCCESS;
}

} // extern "C"
