#include "product.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

namespace host {

float from_bf16(std::uint16_t bits) {
    const std::uint32_t wide = std::uint32_t{bits} << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

std::uint16_t to_bf16(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (value != value) {
        return static_cast<std::uint16_t>(bits >> 16 | 0x40);
    }
    bits += 0x7FFF + (bits >> 16 & 1);
    return static_cast<std::uint16_t>(bits >> 16);
}

float to_tf32(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (value == value) {
        bits += 0xFFF + (bits >> 13 & 1);
        bits &= ~0x1FFFu;
    }
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

float load(const void *values, Kind kind, std::size_t i) {
    return kind == Kind::F32 ? static_cast<const float *>(values)[i] : from_bf16(static_cast<const std::uint16_t *>(values)[i]);
}

void store(void *values, Kind kind, std::size_t i, float value) {
    if (kind == Kind::F32) {
        static_cast<float *>(values)[i] = value;
    } else {
        static_cast<std::uint16_t *>(values)[i] = to_bf16(value);
    }
}

static float take(const Matrix &matrix, std::size_t i, std::size_t j) {
    const float value = load(matrix.values, matrix.kind, i * matrix.row + j * matrix.column);
    return matrix.tf32 ? to_tf32(value) : value;
}

// Rows and columns of the sums that are in registers, and of the parts that are in the cache.
constexpr std::size_t ROWS = 6, COLUMNS = 16, HIGH = 96, DEEP = 256, WIDE = 512;

// Eight values at once, wherever they lie.
typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));

// The sums of a strip of each, which lie value by value of the inner side.
[[gnu::always_inline]] static inline void sum_strip(std::size_t depth, const float *a, const float *b, float *sums) {
    Eight own[ROWS][2] = {};
    for (std::size_t l = 0; l < depth; l++) {
        const Eight *right = reinterpret_cast<const Eight *>(b + l * COLUMNS);
#pragma GCC unroll 6
        for (std::size_t i = 0; i < ROWS; i++) {
            own[i][0] += a[l * ROWS + i] * right[0];
            own[i][1] += a[l * ROWS + i] * right[1];
        }
    }
    Eight *to = reinterpret_cast<Eight *>(sums);
#pragma GCC unroll 6
    for (std::size_t i = 0; i < ROWS; i++) {
        to[2 * i] = own[i][0];
        to[2 * i + 1] = own[i][1];
    }
}

typedef void (*Strip)(std::size_t, const float *, const float *, float *);
static void plain_strip(std::size_t depth, const float *a, const float *b, float *sums) { sum_strip(depth, a, b, sums); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] static void wide_strip(std::size_t depth, const float *a, const float *b, float *sums) {
    sum_strip(depth, a, b, sums);
}
static const Strip strip = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? wide_strip : plain_strip;
#else
static const Strip strip = plain_strip;
#endif

// `count` times `depth` values in strips of `strip`, padded with 0.
template <class At>
static void pack(std::vector<float> &out, std::size_t strip, std::size_t count, std::size_t depth, const At &at) {
    const std::size_t strips = (count + strip - 1) / strip;
    out.assign(strips * strip * depth, 0.0f);
    for (std::size_t i = 0; i < count; i++) {
        float *to = out.data() + i / strip * strip * depth + i % strip;
        for (std::size_t l = 0; l < depth; l++) {
            to[l * strip] = at(i, l);
        }
    }
}

void multiply(std::size_t m, std::size_t n, std::size_t k, const Matrix &a, const Matrix &b, float *c, std::size_t width, bool add) {
    std::vector<float> high, wide;
    float sums[ROWS * COLUMNS];
    for (std::size_t inner = 0; inner < k; inner += DEEP) {
        const std::size_t depth = std::min(DEEP, k - inner);
        const bool fresh = inner == 0 && !add;
        for (std::size_t column = 0; column < n; column += WIDE) {
            const std::size_t columns = std::min(WIDE, n - column);
            pack(wide, COLUMNS, columns, depth, [&](std::size_t j, std::size_t l) { return take(b, inner + l, column + j); });
            for (std::size_t row = 0; row < m; row += HIGH) {
                const std::size_t rows = std::min(HIGH, m - row);
                pack(high, ROWS, rows, depth, [&](std::size_t i, std::size_t l) { return take(a, row + i, inner + l); });
                for (std::size_t j = 0; j < columns; j += COLUMNS) {
                    for (std::size_t i = 0; i < rows; i += ROWS) {
                        strip(depth, high.data() + i * depth, wide.data() + j * depth, sums);
                        for (std::size_t di = 0; di < std::min(ROWS, rows - i); di++) {
                            for (std::size_t dj = 0; dj < std::min(COLUMNS, columns - j); dj++) {
                                float &to = c[(row + i + di) * width + column + j + dj];
                                to = (fresh ? 0.0f : to) + sums[di * COLUMNS + dj];
                            }
                        }
                    }
                }
            }
        }
    }
}

void each(std::size_t n, const std::function<void(std::size_t)> &work) {
    const std::size_t most = std::max(1u, std::thread::hardware_concurrency());
    std::atomic<std::size_t> next = 0;
    const auto run = [&] {
        for (std::size_t i = next++; i < n; i = next++) {
            work(i);
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t thread = 1; thread < std::min(most, n); thread++) {
        threads.emplace_back(run);
    }
    run();
    for (std::thread &thread : threads) {
        thread.join();
    }
}

} // namespace host
