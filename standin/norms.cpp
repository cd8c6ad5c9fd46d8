// Response normalisation across channels and within maps.
#include <functional>
#include <type_traits>

#include "check.h"
#include "kernels.h"
#include "launch.h"

typedef std::function<double(size_t)> At;
// The sum of a function over a value's neighbours.
typedef std::function<double(size_t, const At &)> Around;

struct Norm {
    double k, scale, beta;
};

// Both passes from their formulas: y = x s^-beta, and
// dx = dy s^-beta - 2 scale beta x (sum of dy y / s).
template <class T>
static void check(const char *kernel, const Norm &norm, const Placed<T> &in, const Placed<T> &gradient,
                  const Placed<T> &out, const Placed<T> &back, const Around &around) {
    const size_t n = in.size();
    std::vector<double> s(n), forward(n), backward(n);
    auto x = [&](size_t i) { return wide(in[i]); };
    for (size_t i = 0; i < n; i++) {
        s[i] = norm.k + norm.scale * around(i, [&](size_t j) { return x(j) * x(j); });
        forward[i] = x(i) * std::pow(s[i], -norm.beta);
    }
    for (size_t i = 0; i < n; i++) {
        const double sum = around(i, [&](size_t j) { return wide(gradient[j]) * forward[j] / s[j]; });
        backward[i] = wide(gradient[i]) * std::pow(s[i], -norm.beta) - 2 * norm.scale * norm.beta * x(i) * sum;
    }
    compare(named<T>(kernel), out, forward, rounding<T>());
    compare(named<T>((std::string(kernel) + "_backward").c_str()), back, backward, rounding<T>());
}

// In `columns` parts of the channels that see nothing of each other: the kernel is given each as a pixel.
template <class T>
static void across_channels(u32 pixels, u32 channels, u32 columns, u32 size, float beta, size_t by) {
    // A large scale, so that the sums matter.
    const float k = 2.0f, scale = 0.3f;
    const size_t n = static_cast<size_t>(pixels) * channels;
    auto in = numbers<T>(7, n, by), gradient = numbers<T>(8, n, by);
    Placed<T> out(n, by), back(n, by);
    const u32 column = channels / columns;
    launch(2, 1, lrn_of<T>(), in.data(), out.data(), n, column, 1, size, k, scale, beta);
    launch(2, 1, lrn_backward_of<T>(), in.data(), gradient.data(), back.data(), n, column, 1, size, k, scale, beta, 0u);
    check<T>("lrn", Norm{k, wide(scale), beta}, in, gradient, out, back, [&](size_t i, const At &value) {
        const long c = static_cast<long>(i % channels), half = size / 2;
        double sum = 0;
        for (long near = std::max(0l, c - half); near <= std::min<long>(channels - 1, c + half); near++) {
            if (near / column == c / column) {
                sum += value(i - static_cast<size_t>(c) + static_cast<size_t>(near));
            }
        }
        return sum;
    });
    // Through a ReLU that has left the input: nothing where that is not above 0.
    Placed<T> through(n, by);
    launch(2, 1, lrn_backward_of<T>(), in.data(), gradient.data(), through.data(), n, column, 1, size, k, scale, beta, 1u);
    std::vector<double> masked(n);
    for (size_t i = 0; i < n; i++) {
        masked[i] = wide(in[i]) > 0 ? wide(back[i]) : 0;
    }
    compare(named<T>("lrn_backward"), through, masked, 0);
    if constexpr (std::is_same_v<T, float>) {
        // The arithmetic of TF32, which is faster and rounds otherwise.
        Placed<T> fast(n, by), fast_back(n, by);
        launch(2, 1, lrn_tf32, in.data(), fast.data(), n, column, 1, size, k, scale, beta);
        launch(2, 1, lrn_backward_tf32, in.data(), gradient.data(), fast_back.data(), n, column, 1, size, k, scale, beta, 0u);
        std::vector<double> plain(n), plain_back(n);
        for (size_t i = 0; i < n; i++) {
            plain[i] = wide(out[i]);
            plain_back[i] = wide(back[i]);
        }
        compare("lrn_tf32", fast, plain, 2e-6);
        compare("lrn_backward_tf32", fast_back, plain_back, 4e-6);
    }
    if (columns > 1 || channels % 2 != 0) {
        return;
    }
    // With the channels in two tensors: the same bits, across their border too.
    auto in_two = moved(in, channels, 2, by), gradient_in_two = moved(gradient, channels, 2, by);
    Placed<T> out_in_two(n, by), back_in_two(n, by);
    launch(2, 1, lrn_of<T>(), in_two.data(), out_in_two.data(), n, channels, 2, size, k, scale, beta);
    launch(2, 1, lrn_backward_of<T>(), in_two.data(), gradient_in_two.data(), back_in_two.data(), n, channels, 2, size, k, scale, beta, 0u);
    compare(named<T>("lrn"), out_in_two, moved(out, channels, 2), 0);
    compare(named<T>("lrn_backward"), back_in_two, moved(back, channels, 2), 0);
}

template <class T> static void within_maps(u32 rows, u32 height, u32 width, u32 channels, u32 size, float beta) {
    const float k = 1.0f, scale = 0.1f;
    const size_t n = static_cast<size_t>(rows) * height * width * channels;
    auto in = numbers<T>(9, n), gradient = numbers<T>(10, n);
    Placed<T> out(n, 0), back(n, 0);
    launch(2, 1, map_norm_of<T>(), in.data(), out.data(), rows, height, width, channels, size, k, scale, beta);
    launch(2, 1, map_norm_backward_of<T>(), in.data(), gradient.data(), back.data(), rows, height, width,
           channels, size, k, scale, beta);
    check<T>("map_norm", Norm{k, wide(scale), beta}, in, gradient, out, back, [&](size_t i, const At &value) {
        const long c = static_cast<long>(i % channels), x = static_cast<long>(i / channels % width);
        const long y = static_cast<long>(i / channels / width % height), half = size / 2;
        const long row = static_cast<long>(i / channels / width / height);
        double sum = 0;
        for (long ny = std::max(0l, y - half); ny <= std::min<long>(height - 1, y + half); ny++) {
            for (long nx = std::max(0l, x - half); nx <= std::min<long>(width - 1, x + half); nx++) {
                sum += value(static_cast<size_t>(((row * height + ny) * width + nx) * channels + c));
            }
        }
        return sum;
    });
}

template <class T> static void norms() {
    const u32 sizes[][2] = {{1, 3}, {35, 17}, {2, 300}, {131, 8}, {67, 24}, {1, 96}};
    for (auto &[pixels, channels] : sizes) {
        for (size_t by : {0, 1}) {
            across_channels<T>(pixels, channels, 1, 5, 0.75f, by);
        }
    }
    // Halves of whole packs of both types, of f32 alone and of neither, of one pack, and narrower than a window.
    const u32 even[][2] = {{3, 256}, {1, 16}, {7, 10}, {4, 6}, {5, 2}, {1, 12}};
    for (auto &[pixels, channels] : even) {
        for (size_t by : {0, 1}) {
            across_channels<T>(pixels, channels, 1, 5, 0.75f, by);
        }
    }
    across_channels<T>(9, 16, 1, 5, 0.5f, 0);
    across_channels<T>(9, 16, 1, 3, 0.75f, 0);
    across_channels<T>(9, 15, 1, 7, 0.75f, 0);
    across_channels<T>(9, 16, 1, 15, 0.75f, 0);
    // Columns of whole packs, as net 145's of 48 and 128 channels, of other sizes, and narrower than a window.
    const u32 halves[][2] = {{3, 96}, {2, 256}, {5, 24}, {7, 10}, {4, 6}};
    for (auto &[pixels, channels] : halves) {
        for (size_t by : {0, 1}) {
            across_channels<T>(pixels, channels, 2, 5, 0.75f, by);
        }
    }
    const u32 maps[][4] = {{2, 5, 4, 3}, {1, 7, 9, 2}, {1, 1, 1, 1}, {2, 1, 6, 8}};
    for (auto &[rows, height, width, channels] : maps) {
        within_maps<T>(rows, height, width, channels, 5, 0.75f);
    }
    within_maps<T>(1, 6, 5, 4, 3, 0.5f);
}

void norm_kernels() {
    norms<float>();
    norms<bf16>();
}
