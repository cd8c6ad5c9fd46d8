// Activations, bias gradients, dropout, casts and sums.
#include <cstring>

#include "check.h"
#include "kernels.h"
#include "launch.h"

static double activate(double x, u32 function) {
    switch (function) {
    case 1:
        return x < 0 ? 0 : x;
    case 2:
        return std::tanh(x);
    case 3:
        return 1 / (1 + std::exp(-x));
    default:
        return x;
    }
}

template <class T> static void activation(u32 rows, u32 channels, u32 function, bool with_bias, size_t by) {
    const size_t n = rows * channels;
    auto values = numbers<T>(2, n, by), gradient = numbers<T>(3, n, by);
    auto bias = numbers<float>(4, channels, by);
    auto found = values;
    launch(2, 1, bias_activation_of<T>(), found.data(), with_bias ? bias.data() : nullptr, n, channels, function);
    std::vector<double> expected(n);
    for (size_t i = 0; i < n; i++) {
        expected[i] = activate(wide(values[i]) + (with_bias ? wide(bias[i % channels]) : 0), function);
    }
    compare(named<T>("bias_activation"), found, expected, rounding<T>());
    auto back = gradient;
    launch(2, 1, activation_backward_of<T>(), found.data(), back.data(), n, function);
    for (size_t i = 0; i < n; i++) {
        const double y = wide(found[i]);
        const double slopes[] = {1, y > 0 ? 1.0 : 0.0, 1 - y * y, y * (1 - y)};
        expected[i] = wide(gradient[i]) * slopes[function];
    }
    compare(named<T>("activation_backward"), back, expected, rounding<T>());
    if (channels % 2 != 0) {
        return;
    }
    // From two tensors with half of the channels each: the same bits, joined.
    auto output_moved = moved(found, channels, 2, by), gradient_moved = moved(gradient, channels, 2, by);
    Placed<T> joined(n, by);
    launch(2, 1, activation_backward_joined_of<T>(), output_moved.data(), gradient_moved.data(), joined.data(), n, channels, function);
    compare(named<T>("activation_backward_joined"), joined, moved(back, channels, 1), 0);
}

template <class T> static void activations() {
    const u32 sizes[][2] = {{1, 1}, {37, 5}, {3, 700}, {45, 24}, {7, 32}, {5, 10}, {131, 2}};
    for (auto &[rows, channels] : sizes) {
        for (u32 function = 0; function < 4; function++) {
            activation<T>(rows, channels, function, true, function % 2);
        }
        activation<T>(rows, channels, 1, true, 0);
        activation<T>(rows, channels, 1, false, 0);
    }
    for (size_t n : {1, 8}) {
        Placed<T> broken(n, 0, narrow_to<T>(NAN));
        launch(1, 1, bias_activation_of<T>(), broken.data(), static_cast<const float *>(nullptr), n, 1u, 1u);
        expect(named<T>("bias_activation"), "NaN stays NaN under ReLU", std::isnan(wide(broken[0])));
    }
}

template <class T> static void bias_gradients() {
    // Of whole packs and others, with one row and many, beyond what a block has, on bounds and off.
    const u32 sizes[][3] = {{1, 1, 1}, {37, 5, 3}, {4, 700, 3}, {513, 96, 7}, {101, 384, 2}, {3, 8, 3}, {5, 4096, 2}, {70, 24, 69}};
    for (auto &[rows, channels, parts] : sizes) {
        for (u32 function = 0; function < 3; function++) {
            const size_t by = function % 2;
            auto gradient = numbers<T>(13, static_cast<size_t>(rows) * channels, by), output = numbers<T>(14, gradient.size(), by);
            Placed<float> partial(parts * channels, 0, 1e9f), sums(channels, 0);
            const auto before = gradient;
            const u32 across = (channels + 255) / 256;
            launch(across, parts, bias_partial_of<T>(), function > 0 ? output.data() : nullptr, gradient.data(),
                   partial.data(), rows, channels, (rows + parts - 1) / parts, function);
            launch((channels + 7) / 8, 1, bias_final, partial.data(), sums.data(), parts, channels);
            std::vector<double> sum(channels), slopes(gradient.size());
            for (size_t i = 0; i < gradient.size(); i++) {
                const double y = wide(output[i]), g = wide(before[i]);
                slopes[i] = function == 1 ? (y > 0 ? g : 0) : function == 2 ? g * (1 - y * y) : g;
                sum[i % channels] += slopes[i];
            }
            compare(named<T>("bias_partial"), gradient, slopes, function == 2 ? rounding<T>() : 0);
            compare(named<T>("bias_partial"), sums, sum, 4e-6);
            // The parts, whatever their order.
            std::vector<double> whole(channels);
            for (size_t i = 0; i < partial.size(); i++) {
                whole[i % channels] += wide(partial[i]);
            }
            compare("bias_final", sums, whole, 4e-6);
        }
    }
}

// Philox4x32-10 after Salmon et al., with 64-bit products.
static void philox(u32 counter[4], u32 key0, u32 key1) {
    for (int round = 0; round < 10; round++) {
        const u64 a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
        const u32 next[4] = {static_cast<u32>(b >> 32) ^ counter[1] ^ key0, static_cast<u32>(b),
                             static_cast<u32>(a >> 32) ^ counter[3] ^ key1, static_cast<u32>(a)};
        std::memcpy(counter, next, sizeof next);
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

template <class T> static void dropouts() {
    u32 zero[4] = {0, 0, 0, 0};
    philox(zero, 0, 0);
    expect(named<T>("dropout"), "the published answer of Philox",
           zero[0] == 0x6627E8D5 && zero[1] == 0xE169C58D && zero[2] == 0xBC57AC4C && zero[3] == 0x9B00DBD8);
    for (size_t n : {1, 4, 1003, 4096}) {
        for (size_t by : {0, 1}) {
            // The places of a card's first value in the whole batch; the last is behind 2^32 blocks.
            for (u64 begin : {0ull, 4096ull, 1003ull, 0x3FFFFFFFEull}) {
                const u32 threshold = by ? 0x80000000 : 0x1999999A, layer = 1 + by;
                const float scale = by ? 2.0f : 1.0f / 0.9f;
                auto in = numbers<T>(11, n, by);
                Placed<T> out(n, by);
                launch(2, 1, dropout_of<T>(), in.data(), out.data(), n, threshold, scale, 77u, 99u, layer, begin);
                std::vector<double> expected(n);
                for (size_t i = 0; i < n; i++) {
                    const u64 place = begin + i;
                    // The stream of dropout masks is 4.
                    u32 counter[4] = {static_cast<u32>(place / 4), static_cast<u32>(place / 4 >> 32), layer, 4};
                    philox(counter, 77, 99);
                    const float kept = static_cast<float>(wide(in[i])) * scale;
                    expected[i] = counter[place % 4] >= threshold ? nearest<T>(kept) : 0.0;
                }
                compare(named<T>("dropout"), out, expected, 0);
            }
        }
    }
}

template <class T> static void kernels_and_sums() {
    // Kernels, their side, channels, the side of a block, and the channels of a block.
    const u32 sizes[][5] = {{1, 1, 3, 1, 4}, {5, 11, 3, 1, 8}, {7, 11, 3, 4, 48}, {2, 8, 3, 4, 48}, {3, 3, 3, 4, 48}, {2, 7, 3, 2, 16}, {1, 5, 2, 3, 18}};
    for (auto &[kernels, side, few, block, many] : sizes) {
        const size_t blocks = (side + block - 1) / block;
        auto in = numbers<float>(50, static_cast<size_t>(kernels) * side * side * few);
        Placed<T> wider(kernels * blocks * blocks * many, 0, narrow_to<T>(9));
        Placed<float> back(in.size(), 0);
        launch(2, 1, widen_of<T>(), in.data(), wider.data(), kernels, side, few, block, many);
        launch(2, 1, narrow_of<T>(), wider.data(), back.data(), kernels, side, few, block, many);
        std::vector<double> expected(wider.size()), rounded(in.size());
        for (size_t i = 0; i < in.size(); i++) {
            const size_t c = i % few, x = i / few % side, y = i / few / side % side, kernel = i / few / side / side;
            const size_t at = (kernel * blocks + y / block) * blocks + x / block;
            rounded[i] = nearest<T>(wide(in[i]));
            expected[at * many + (y % block * block + x % block) * few + c] = rounded[i];
        }
        compare(named<T>("widen"), wider, expected, 0);
        compare(named<T>("narrow"), back, rounded, 0);
    }
    for (u64 n : {1ull, 3ull, 2051ull}) {
        for (size_t by : {0, 1}) {
            auto in = numbers<T>(51, n, by);
            Placed<float> sum(n, by, 7.0f);
            launch(2, 1, add_scaled_of<T>(), in.data(), sum.data(), 0.25f, 1u, n);
            launch(2, 1, add_scaled_of<T>(), in.data(), sum.data(), 0.3f, 0u, n);
            std::vector<double> total(n);
            for (size_t i = 0; i < n; i++) {
                const float x = static_cast<float>(wide(in[i])), share = 0.3f * x;
                total[i] = wide(0.25f * x + share);
            }
            compare(named<T>("add_scaled"), sum, total, 0);
        }
    }
}

static void casts() {
    auto in = numbers<float>(60, 1001);
    // Half way between two values of bf16, above an even and an odd one.
    in[0] = 1.00390625f;
    in[1] = 1.01171875f;
    Placed<bf16> half(in.size(), 0);
    Placed<float> back(in.size(), 0);
    launch(2, 1, cast_f32_bf16, in.data(), half.data(), static_cast<u64>(in.size()));
    launch(2, 1, cast_bf16_f32, half.data(), back.data(), static_cast<u64>(in.size()));
    std::vector<double> expected(in.size());
    for (size_t i = 0; i < in.size(); i++) {
        expected[i] = nearest<bf16>(wide(in[i]));
    }
    compare("cast_f32_bf16", half, expected, 0);
    compare("cast_bf16_f32", back, expected, 0);
}

void row_kernels() {
    activations<float>();
    activations<bf16>();
    bias_gradients<float>();
    bias_gradients<bf16>();
    dropouts<float>();
    dropouts<bf16>();
    kernels_and_sums<float>();
    kernels_and_sums<bf16>();
    casts();
}
