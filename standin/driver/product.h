// Matrix products in f32, which the libraries' calls come down to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace host {

enum class Kind { F32, Bf16 };

constexpr std::size_t bytes_of(Kind kind) { return kind == Kind::F32 ? 4 : 2; }

// To nearest, ties to even.
float from_bf16(std::uint16_t bits);
std::uint16_t to_bf16(float value);
// To 10 bits behind the point, as tensor cores take f32.
float to_tf32(float value);

float load(const void *values, Kind kind, std::size_t i);
void store(void *values, Kind kind, std::size_t i, float value);

// A matrix anywhere in memory: value (i, j) is number i * row + j * column.
struct Matrix {
    const void *values;
    Kind kind;
    std::size_t row, column;
    // Whether values are rounded to TF32 when they are taken.
    bool tf32;
};

// c[i * width + j] = sum over l of a(i, l) b(l, j), or added to it; sums in an order of the sizes alone.
void multiply(std::size_t m, std::size_t n, std::size_t k, const Matrix &a, const Matrix &b, float *c, std::size_t width, bool add);

// Calls with 0 to n - 1 on as many threads as there are processors.
void each(std::size_t n, const std::function<void(std::size_t)> &work);

} // namespace host
