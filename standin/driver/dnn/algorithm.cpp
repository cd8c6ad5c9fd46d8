#include "algorithm.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../memory.h"
#include "../say.h"
#include "../stream.h"
#include "descriptor.h"

namespace host {

// Bytes of workspace for each row of the forward pass: the fastest algorithm needs more for more rows.
constexpr std::size_t ROW = std::size_t{4} << 20;

// For kernels in NHWC the documentation names algorithms 0 and 1 of each pass, and no other.
std::vector<Algorithm> algorithms(Pass pass, const Convolution &c) {
    switch (pass) {
    case Pass::Forward:
        return {{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true, c.rows * ROW}, {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, true, 0}};
    case Pass::Data:
        return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, false, 0}, {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, true, c.weight_len() * 4}};
    case Pass::Filter:
        return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, false, 0}, {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, true, c.weight_len() * 8}};
    }
    return {};
}

int numbers(Pass pass) {
    switch (pass) {
    case Pass::Forward: return CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
    case Pass::Data: return CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
    case Pass::Filter: return CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
    }
    return 0;
}

bool is_refused(Pass pass, int number) {
    static const char *const names[] = {"forward", "data", "filter"};
    const char *value = std::getenv("HOST_DNN_REFUSE");
    return value != nullptr && value == std::string(names[static_cast<int>(pass)]) + ":" + std::to_string(number);
}

static std::size_t output(int size, int padding, int kernel, int stride) {
    const int room = size + 2 * padding - kernel;
    return room < 0 ? 0 : static_cast<std::size_t>(room / stride + 1);
}

cudnnStatus_t understand(const char *what, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                         cudnnConvolutionDescriptor_t v, cudnnTensorDescriptor_t y, Convolution &out) {
    if (!is_filled(what, x) || !is_filled(what, w) || !is_filled(what, v) || !is_filled(what, y)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (x->type != w->type || x->type != y->type) {
        wrong("%s: tensors of several types", what);
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (x->sizes[1] != w->sizes[1] * v->groups || w->sizes[0] % v->groups != 0) {
        wrong("%s: %d channels in %d groups by %d kernels of %d", what, x->sizes[1], v->groups, w->sizes[0], w->sizes[1]);
        return CUDNN_STATUS_BAD_PARAM;
    }
    const std::size_t high = output(x->sizes[2], v->padding[0], w->sizes[2], v->stride[0]);
    const std::size_t wide = output(x->sizes[3], v->padding[1], w->sizes[3], v->stride[1]);
    const auto is = [](int size, std::size_t other) { return static_cast<std::size_t>(size) == other; };
    if (y->sizes[0] != x->sizes[0] || y->sizes[1] != w->sizes[0] || !is(y->sizes[2], high) || !is(y->sizes[3], wide)) {
        wrong("%s: the output is %d x %d x %d x %d, and %d x %d x %zu x %zu by the convolution", what, y->sizes[0], y->sizes[1],
              y->sizes[2], y->sizes[3], x->sizes[0], w->sizes[0], high, wide);
        return CUDNN_STATUS_BAD_PARAM;
    }
    const auto size = [](int size) { return static_cast<std::size_t>(size); };
    const Kind kind = x->type == CUDNN_DATA_FLOAT ? Kind::F32 : Kind::Bf16;
    if (kind == Kind::Bf16 && capability() < 80) {
        refused("%s: bf16 on a card of compute capability %d", what, capability());
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    // Only FMA asks for products of whole f32 values where there are tensor cores for TF32.
    const bool tf32 = kind == Kind::F32 && v->math != CUDNN_FMA_MATH && capability() >= 80;
    out = Convolution{kind, tf32, size(x->sizes[0]), size(x->sizes[2]), size(x->sizes[3]), size(x->sizes[1]), size(w->sizes[0]), high, wide,
                      size(w->sizes[2]), size(w->sizes[3]), size(v->stride[0]), size(v->stride[1]), size(v->padding[0]), size(v->padding[1]), size(v->groups)};
    return CUDNN_STATUS_SUCCESS;
}

static Address address(const void *pointer) { return reinterpret_cast<Address>(pointer); }

// What tensor cores want of memory.
constexpr Address BOUND = 16;

// A factor, an f32 value of the host.
static float factor(const char *what, const void *value) {
    if (value == nullptr || address(value) % 4 != 0 || on_card(address(value))) {
        fatal("%s: alpha and beta are f32 values of the host", what);
    }
    float own;
    std::memcpy(&own, value, sizeof own);
    return own;
}

cudnnStatus_t run(const char *what, cudnnHandle_t handle, Pass pass, const Convolution &c, int number, const void *alpha,
                  const void *x, const void *w, const void *y, void *workspace, std::size_t workspace_bytes,
                  const void *beta, const Epilogue *epilogue) {
    if (!is_open(what, handle)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    Stream *stream = stream_of(what, handle->stream);
    if (stream == nullptr) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    const std::vector<Algorithm> known = algorithms(pass, c);
    const auto found = std::find_if(known.begin(), known.end(), [&](const Algorithm &one) { return one.number == number; });
    if (found == known.end()) {
        refused("%s: algorithm %d for kernels in NHWC", what, number);
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    if (is_refused(pass, number)) {
        refused("%s: algorithm %d, as HOST_DNN_REFUSE says", what, number);
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    const std::size_t needed = found->workspace;
    if (workspace_bytes < needed || (needed > 0 && workspace == nullptr)) {
        wrong("%s: a workspace of %zu bytes, and algorithm %d needs %zu", what, workspace_bytes, number, needed);
        return CUDNN_STATUS_BAD_PARAM;
    }
    struct Part {
        const void *values;
        std::size_t bytes;
    };
    const std::size_t unit = bytes_of(c.kind);
    // The one that is written comes first.
    Part parts[] = {{y, c.output_len() * unit}, {x, c.input_len() * unit}, {w, c.weight_len() * unit}, {workspace, needed}};
    std::swap(parts[0], parts[pass == Pass::Forward ? 0 : pass == Pass::Data ? 1 : 2]);
    const int card = stream->card->number;
    for (const Part &part : parts) {
        if (part.bytes == 0) {
            continue;
        }
        if (!names_memory(what, card, address(part.values), part.bytes)) {
            return CUDNN_STATUS_EXECUTION_FAILED;
        }
        if (address(part.values) % BOUND != 0) {
            wrong("%s: %p is on no bound of %lu bytes", what, part.values, BOUND);
            return CUDNN_STATUS_NOT_SUPPORTED;
        }
        for (const Part &other : parts) {
            const bool written = &part == parts || &part == parts + 3;
            if (written && &part != &other && other.bytes > 0 && address(part.values) < address(other.values) + other.bytes &&
                address(other.values) < address(part.values) + part.bytes) {
                fatal("%s: what is written overlaps another tensor", what);
            }
        }
    }
    if (epilogue != nullptr && !names_memory(what, card, address(epilogue->bias), c.outputs * unit)) {
        return CUDNN_STATUS_EXECUTION_FAILED;
    }
    const Blend blend{factor(what, alpha), factor(what, beta)};
    static std::atomic<unsigned> calls;
    const unsigned shuffled = found->deterministic ? 0 : ++calls;
    const Epilogue own = epilogue == nullptr ? Epilogue{nullptr, false} : *epilogue;
    const bool fused = epilogue != nullptr;
    queue(stream, what, [=, parts = std::vector<Part>(parts, parts + 4)] {
        for (const Part &part : parts) {
            if (part.bytes > 0) {
                touch(what, card, address(part.values), part.bytes);
            }
        }
        // Nobody may rely on what stands in a workspace.
        std::memset(workspace, 0xFF, needed);
        switch (pass) {
        case Pass::Forward: return forward(c, x, w, const_cast<void *>(y), blend, fused ? &own : nullptr, number == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
        case Pass::Data: return backward_data(c, w, y, const_cast<void *>(x), blend);
        case Pass::Filter: return backward_filter(c, x, y, const_cast<void *>(w), blend, shuffled);
        }
    });
    return CUDNN_STATUS_SUCCESS;
}

} // namespace host
