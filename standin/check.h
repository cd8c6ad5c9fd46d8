// Numbers to compute with, and a table of comparisons: a line for each kernel, and whether all hold.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <cuda_bf16.h>

typedef __nv_bfloat16 bf16;

inline double wide(float value) { return static_cast<double>(value); }
inline double wide(double value) { return value; }
inline double wide(unsigned char value) { return value; }
inline double wide(bf16 value) { return static_cast<double>(__bfloat162float(value)); }
template <class T> T narrow_to(float value);
template <> inline float narrow_to<float>(float value) { return value; }
template <> inline bf16 narrow_to<bf16>(float value) { return __float2bfloat16_rn(value); }

// The nearest value of T, ties to even, by arithmetic instead of bits.
template <class T> double nearest(double value);
template <> inline double nearest<float>(double value) { return static_cast<float>(value); }
template <> inline double nearest<bf16>(double value) {
    if (value == 0) {
        return value;
    }
    int exponent = 0;
    std::frexp(value, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(value, 8 - exponent)), exponent - 8);
}

template <class T> const char *type();
template <> inline const char *type<float>() { return "f32"; }
template <> inline const char *type<bf16>() { return "bf16"; }

// The largest error over the largest value, where sums are f32 in another order: some roundings of f32,
// and half a place of the output.
template <class T> double rounding();
template <> inline double rounding<float>() { return 2e-6; }
template <> inline double rounding<bf16>() { return 4e-3; }

// Values in memory that begins on a bound of 16 bytes, or one value behind it.
template <class T> class Placed {
    std::vector<T> store;
    size_t shift;

  public:
    Placed(size_t n, size_t by, T value = T()) : store(n + by, value), shift(by) {}
    T *data() { return store.data() + shift; }
    T &operator[](size_t i) { return store[i + shift]; }
    const T &operator[](size_t i) const { return store[i + shift]; }
    size_t size() const { return store.size() - shift; }
};

// Values between -1 and 1, in T's precision.
template <class T> Placed<T> numbers(unsigned int seed, size_t n, size_t by = 0) {
    Placed<T> values(n, by);
    unsigned long long state = seed * 2654435761ull + 12345;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        values[i] = narrow_to<T>(static_cast<float>(state >> 40) / 8388608.0f - 1.0f);
    }
    return values;
}

// Where value `i` of `n` values of pixels of `channels` channels lies, if these lie in `columns` tensors, one behind
// the other, each with an equal part of every pixel's channels.
inline size_t place_in(size_t columns, size_t i, size_t channels, size_t n) {
    const size_t part = channels / columns, c = i % channels;
    return c / part * (n / columns) + i / channels * part + c % part;
}

// The values in such tensors.
template <class T> Placed<T> moved(const Placed<T> &joined, size_t channels, size_t columns, size_t by) {
    Placed<T> values(joined.size(), by);
    for (size_t i = 0; i < joined.size(); i++) {
        values[place_in(columns, i, channels, joined.size())] = joined[i];
    }
    return values;
}
template <class Values> std::vector<double> moved(const Values &joined, size_t channels, size_t columns) {
    std::vector<double> values(joined.size());
    for (size_t i = 0; i < joined.size(); i++) {
        values[place_in(columns, i, channels, joined.size())] = wide(joined[i]);
    }
    return values;
}

struct Line {
    int cases = 0;
    double error = 0, tolerance = 0;
};
inline std::map<std::string, Line> lines;
inline bool all_hold = true;

// Compares with a tolerance over the largest of the expected values; 0 asks for the very same values.
template <class Found> void compare(const std::string &kernel, const Found &found, const std::vector<double> &expected, double tolerance) {
    double largest = 0, worst = 0;
    for (double value : expected) {
        largest = std::max(largest, std::fabs(value));
    }
    bool same = found.size() == expected.size();
    for (size_t i = 0; i < expected.size() && same; i++) {
        const double error = std::fabs(wide(found[i]) - expected[i]);
        // An error that is no number fails too.
        same = error <= tolerance * largest;
        worst = std::max(worst, error);
    }
    Line &line = lines[kernel];
    line.cases++;
    line.error = std::max(line.error, largest > 0 ? worst / largest : worst);
    line.tolerance = std::max(line.tolerance, tolerance);
    if (!same) {
        all_hold = false;
        std::printf("%s, case %d: error %g of %g, tolerance %g\n", kernel.c_str(), line.cases, worst, largest, tolerance);
    }
}

inline void expect(const std::string &kernel, const char *what, bool holds) {
    lines[kernel].cases++;
    if (!holds) {
        all_hold = false;
        std::printf("%s: does not hold: %s\n", kernel.c_str(), what);
    }
}

template <class T> std::string named(const char *kernel) { return std::string(kernel) + "_" + type<T>(); }
