// Every kernel on the host against its definition, over odd sizes. The grid is smaller than the values
// need, so that every kernel strides.
#include "check.h"
#include "kernels.h"
#include "launch.h"

thread_local Place threadIdx, blockIdx;
Place gridDim;
void __syncthreads() { block_barrier->arrive_and_wait(); }

template <class T> std::vector<double> doubles(const std::vector<T> &values) {
    std::vector<double> result;
    for (T value : values) {
        result.push_back(wide(value));
    }
    return result;
}

template <class T> void finish() {
    const u32 sizes[][5] = {{3, 7, 5, 0, 3}, {2, 9, 9, 2, 2}, {1, 1, 1, 0, 0}};
    for (auto &[rows, height, width, before, after] : sizes) {
        for (u32 channels : {3u, 4u, 8u}) {
            const u32 high = height + before + after, across = width + before + after;
            std::vector<u8> bytes(rows * height * width * 3);
            for (size_t i = 0; i < bytes.size(); i++) {
                bytes[i] = static_cast<u8>(i * 37);
            }
            const auto shifts = numbers<float>(1, rows * 3);
            const float scale[3] = {1.0f, 0.017f, 0.5f};
            const double offset[3] = {-123.7, -2.1, 0.3};
            std::vector<T> found(static_cast<size_t>(rows) * high * across * channels, narrow_to<T>(9));
            launch(1, 1, finish_of<T>(), bytes.data(), shifts.data(), found.data(), scale[0], scale[1],
                   scale[2], offset[0], offset[1], offset[2], rows, height, width, before, high, across,
                   channels);
            std::vector<double> expected(found.size());
            for (u32 row = 0; row < rows; row++) {
                for (u32 y = 0; y < height; y++) {
                    for (u32 x = 0; x < width; x++) {
                        for (u32 c = 0; c < 3; c++) {
                            const float product = bytes[((row * height + y) * width + x) * 3 + c] * scale[c];
                            const float value = product + static_cast<float>(offset[c] + shifts[row * 3 + c]);
                            expected[((row * high + y + before) * across + x + before) * channels + c] = value;
                        }
                    }
                }
            }
            compare("finish", found, expected, sizeof(T) == 4 ? 0 : 4e-3);
        }
    }
}

double activate(double x, u32 function) {
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

template <class T> void activations() {
    const u32 sizes[][2] = {{1, 1}, {37, 5}, {3, 700}};
    for (auto &[rows, channels] : sizes) {
        const size_t n = rows * channels;
        const auto values = numbers<T>(2, n), gradient = numbers<T>(3, n);
        const auto bias = numbers<float>(4, channels);
        for (u32 function = 0; function < 4; function++) {
            auto found = values;
            launch(1, 1, bias_activation_of<T>(), found.data(), bias.data(), n, channels, function);
            std::vector<double> expected(n);
            for (size_t i = 0; i < n; i++) {
                expected[i] = activate(static_cast<double>(wide(values[i])) + bias[i % channels], function);
            }
            compare("bias_activation", found, expected, rounding<T>());
            if (function == 0) {
                continue;
            }
            auto back = gradient;
            launch(1, 1, activation_backward_of<T>(), found.data(), back.data(), n, function);
            for (size_t i = 0; i < n; i++) {
                const double y = wide(found[i]), g = wide(gradient[i]);
                const double slope = function == 1 ? (y > 0) : function == 2 ? 1 - y * y : y * (1 - y);
                expected[i] = g * slope;
            }
            compare("activation_backward", back, expected, rounding<T>());
        }
        auto plain = values;
        launch(1, 1, bias_activation_of<T>(), plain.data(), static_cast<const float *>(nullptr), n, 1u, 1u);
        std::vector<double> expected;
        for (T value : values) {
            expected.push_back(activate(wide(value), 1));
        }
        compare("activation without bias", plain, expected, 0);

        const u32 parts = 3, each = (rows + parts - 1) / parts;
        std::vector<float> partial(parts * channels), sums(channels);
        const u32 across = (channels + 255) / 256;
        launch(across, parts, bias_partial_of<T>(), gradient.data(), partial.data(), rows, channels, each);
        launch(across, 1, bias_final, partial.data(), sums.data(), parts, channels);
        std::vector<double> sum(channels);
        for (size_t i = 0; i < n; i++) {
            sum[i % channels] += wide(gradient[i]);
        }
        compare("bias gradient", sums, sum, 4e-6);
    }
    std::vector<T> broken{narrow_to<T>(NAN)};
    launch(1, 1, bias_activation_of<T>(), broken.data(), static_cast<const float *>(nullptr), 1ull, 1u, 1u);
    expect("NaN stays NaN under ReLU", std::isnan(wide(broken[0])));
}

template <class T> void pools() {
    const u32 sizes[][5] = {{2, 7, 9, 5, 3}, {1, 8, 6, 33, 2}, {3, 3, 3, 1, 3}};
    for (auto &[rows, height, width, channels, kernel] : sizes) {
        const u32 step = 2, high = (height - kernel) / step + 1, across = (width - kernel) / step + 1;
        auto in = numbers<T>(5, static_cast<size_t>(rows) * height * width * channels);
        // Equal values: the first wins.
        for (size_t i = 0; i < in.size(); i += 3) {
            in[i] = narrow_to<T>(0.5f);
        }
        const size_t n = static_cast<size_t>(rows) * high * across * channels;
        const auto gradient = numbers<T>(6, n);
        std::vector<T> out(n), back(in.size());
        std::vector<u8> winners(n);
        launch(2, 1, max_pool_of<T>(), in.data(), out.data(), winners.data(), rows, height, width, channels,
               kernel, step, high, across);
        launch(2, 1, max_pool_backward_of<T>(), winners.data(), gradient.data(), back.data(), rows, height,
               width, channels, kernel, step, high, across);
        std::vector<double> largest(n), sums(in.size());
        for (size_t i = 0; i < n; i++) {
            const size_t c = i % channels, x = i / channels % across, y = i / channels / across % high;
            const size_t row = i / channels / across / high;
            double best = -INFINITY;
            size_t from = 0;
            for (size_t dy = 0; dy < kernel; dy++) {
                for (size_t dx = 0; dx < kernel; dx++) {
                    const size_t at = ((row * height + y * step + dy) * width + x * step + dx) * channels + c;
                    if (wide(in[at]) > best) {
                        best = wide(in[at]);
                        from = at;
                    }
                }
            }
            largest[i] = best;
            sums[from] += wide(gradient[i]);
        }
        compare("max_pool", out, largest, 0);
        compare("max_pool_backward", back, sums, rounding<T>());
    }
}

// s^-beta and y / (x s) for a value and the sum of its neighbours' squares.
struct Norm {
    double k, scale, beta;
    double s(double squares) const { return k + scale * squares; }
};

template <class T> void norms() {
    for (float beta : {0.75f, 0.5f}) {
        const Norm norm{2.0, static_cast<double>(0.02f), beta};
        const u32 sizes[][2] = {{1, 3}, {35, 17}, {2, 300}};
        for (auto &[pixels, channels] : sizes) {
            const size_t n = static_cast<size_t>(pixels) * channels;
            const auto in = numbers<T>(7, n), gradient = numbers<T>(8, n);
            std::vector<T> out(n), back(n);
            launch(1, 1, lrn_of<T>(), in.data(), out.data(), n, channels, 5u, 2.0f, 0.02f, beta);
            launch(1, 1, lrn_backward_of<T>(), in.data(), gradient.data(), back.data(), n, channels, 5u, 2.0f,
                   0.02f, beta);
            std::vector<double> s(n), forward(n), backward(n);
            auto around = [&](size_t i, auto value) {
                const long c = static_cast<long>(i % channels);
                double sum = 0;
                for (long near = std::max(0l, c - 2); near <= std::min<long>(channels - 1, c + 2); near++) {
                    sum += value(i - static_cast<size_t>(c) + static_cast<size_t>(near));
                }
                return sum;
            };
            auto x = [&](size_t i) { return static_cast<double>(wide(in[i])); };
            for (size_t i = 0; i < n; i++) {
                s[i] = norm.s(around(i, [&](size_t j) { return x(j) * x(j); }));
                forward[i] = x(i) * std::pow(s[i], -norm.beta);
            }
            for (size_t i = 0; i < n; i++) {
                const double sum = around(i, [&](size_t j) { return wide(gradient[j]) * forward[j] / s[j]; });
                backward[i] = wide(gradient[i]) * std::pow(s[i], -norm.beta) - 2 * norm.scale * norm.beta * x(i) * sum;
            }
            compare("lrn", out, forward, rounding<T>());
            compare("lrn_backward", back, backward, rounding<T>());
        }
    }
}

template <class T> void map_norms() {
    const u32 sizes[][4] = {{2, 5, 4, 3}, {1, 7, 9, 2}, {1, 1, 1, 1}};
    for (auto &[rows, height, width, channels] : sizes) {
        const Norm norm{1.0, static_cast<double>(0.01f), 0.75};
        const size_t n = static_cast<size_t>(rows) * height * width * channels;
        const auto in = numbers<T>(9, n), gradient = numbers<T>(10, n);
        std::vector<T> out(n), back(n);
        launch(1, 1, map_norm_of<T>(), in.data(), out.data(), rows, height, width, channels, 5u, 1.0f, 0.01f, 0.75f);
        launch(1, 1, map_norm_backward_of<T>(), in.data(), gradient.data(), back.data(), rows, height, width,
               channels, 5u, 1.0f, 0.01f, 0.75f);
        std::vector<double> s(n), forward(n), backward(n);
        auto around = [&](size_t i, auto value) {
            const long c = static_cast<long>(i % channels), x = static_cast<long>(i / channels % width);
            const long y = static_cast<long>(i / channels / width % height);
            const long row = static_cast<long>(i / channels / width / height);
            double sum = 0;
            for (long ny = std::max(0l, y - 2); ny <= std::min<long>(height - 1, y + 2); ny++) {
                for (long nx = std::max(0l, x - 2); nx <= std::min<long>(width - 1, x + 2); nx++) {
                    sum += value(static_cast<size_t>(((row * height + ny) * width + nx) * channels + c));
                }
            }
            return sum;
        };
        auto x = [&](size_t i) { return static_cast<double>(wide(in[i])); };
        for (size_t i = 0; i < n; i++) {
            s[i] = norm.s(around(i, [&](size_t j) { return x(j) * x(j); }));
            forward[i] = x(i) * std::pow(s[i], -norm.beta);
        }
        for (size_t i = 0; i < n; i++) {
            const double sum = around(i, [&](size_t j) { return wide(gradient[j]) * forward[j] / s[j]; });
            backward[i] = wide(gradient[i]) * std::pow(s[i], -norm.beta) - 2 * norm.scale * norm.beta * x(i) * sum;
        }
        compare("map_norm", out, forward, rounding<T>());
        compare("map_norm_backward", back, backward, rounding<T>());
    }
}

// Philox4x32-10 after Salmon et al., with 64-bit products.
void philox(u32 counter[4], u32 key0, u32 key1) {
    for (int round = 0; round < 10; round++) {
        const u64 a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
        const u32 next[4] = {static_cast<u32>(b >> 32) ^ counter[1] ^ key0, static_cast<u32>(b),
                             static_cast<u32>(a >> 32) ^ counter[3] ^ key1, static_cast<u32>(a)};
        std::memcpy(counter, next, sizeof next);
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
}

template <class T> void dropouts() {
    u32 zero[4] = {0, 0, 0, 0};
    philox(zero, 0, 0);
    expect("the published answer of Philox",
           zero[0] == 0x6627E8D5 && zero[1] == 0xE169C58D && zero[2] == 0xBC57AC4C && zero[3] == 0x9B00DBD8);
    for (size_t n : {1, 4, 1003}) {
        const auto in = numbers<T>(11, n);
        std::vector<T> out(n);
        const u32 threshold = 0x80000000, layer = 1;
        launch(1, 1, dropout_of<T>(), in.data(), out.data(), n, threshold, 2.0f, 77u, 99u, layer);
        std::vector<double> expected(n);
        for (size_t i = 0; i < n; i++) {
            // The stream of dropout masks is 4.
            u32 counter[4] = {static_cast<u32>(i / 4), 0, layer, 4};
            philox(counter, 77, 99);
            expected[i] = counter[i % 4] >= threshold ? 2.0 * wide(in[i]) : 0.0;
        }
        compare("dropout", out, expected, 0);
    }
}

template <class T> void losses() {
    const u32 sizes[][2] = {{1, 1}, {5, 3}, {3, 1001}};
    for (auto &[rows, classes] : sizes) {
        const size_t n = static_cast<size_t>(rows) * classes;
        auto logits = numbers<T>(12, n);
        for (auto &logit : logits) {
            logit = narrow_to<T>(8 * wide(logit));
        }
        logits[n - 1] = logits[0];
        std::vector<i64> labels;
        for (u32 row = 0; row < rows; row++) {
            labels.push_back(row * 7 % classes);
        }
        std::vector<T> gradient(n);
        std::vector<double> row_scores(rows * 3), sums{1, 2, 3}, expected(n);
        launch(rows, 1, cross_entropy_of<T>(), logits.data(), labels.data(), gradient.data(), row_scores.data(),
               rows, classes);
        launch(1, 1, scores_add, row_scores.data(), sums.data(), rows);
        double loss = 1, top1 = 2, top5 = 3;
        for (u32 row = 0; row < rows; row++) {
            const T *own = &logits[row * classes];
            const size_t label = static_cast<size_t>(labels[row]);
            double sum = 0;
            size_t rank = 0;
            for (size_t c = 0; c < classes; c++) {
                sum += std::exp(static_cast<double>(wide(own[c])));
                rank += wide(own[c]) > wide(own[label]) || (wide(own[c]) == wide(own[label]) && c < label);
            }
            loss += std::log(sum) - wide(own[label]);
            top1 += rank < 1;
            top5 += rank < 5;
            for (size_t c = 0; c < classes; c++) {
                const double share = std::exp(static_cast<double>(wide(own[c]))) / sum;
                expected[row * classes + c] = (share - (c == label)) / rows;
            }
        }
        compare("cross_entropy's gradient", gradient, expected, rounding<T>());
        expect("the loss", std::fabs(sums[0] - loss) < 1e-9 * std::fabs(loss));
        expect("the hits", sums[1] == top1 && sums[2] == top5);
    }
    std::vector<T> broken{narrow_to<T>(NAN), narrow_to<T>(1)};
    std::vector<i64> label{0};
    std::vector<double> scores(3);
    launch(1, 1, cross_entropy_of<T>(), broken.data(), label.data(), static_cast<T *>(nullptr), scores.data(), 1u, 2u);
    expect("NaN shows in the loss and is no hit", std::isnan(scores[0]) && scores[1] == 0 && scores[2] == 0);
}

template <class T> void updates() {
    const size_t sizes[] = {1, 777, 5000};
    std::vector<std::vector<float>> weights, velocities;
    std::vector<std::vector<T>> gradients;
    std::vector<std::vector<bf16>> copies;
    std::vector<Entry> entries;
    for (u32 i = 0; i < 3; i++) {
        weights.push_back(numbers<float>(20 + i, sizes[i]));
        velocities.push_back(numbers<float>(30 + i, sizes[i]));
        gradients.push_back(numbers<T>(40 + i, sizes[i]));
        copies.emplace_back(sizes[i]);
    }
    for (u32 i = 0; i < 3; i++) {
        entries.push_back({weights[i].data(), velocities[i].data(), gradients[i].data(),
                           i == 1 ? copies[i].data() : nullptr, sizes[i], 0.01f * (i + 1), 5e-6f * i,
                           sizeof(T) == 2, i != 2});
    }
    const auto before = weights, speed = velocities;
    const u32 parts = 3;
    std::vector<double> partial(3 * parts), norm{0.5};
    launch(parts, 3, norm_partial, entries.data(), 3u, partial.data(), parts);
    launch(1, 1, norm_final, partial.data(), norm.data(), 3 * parts);
    launch(2, 3, sgd, entries.data(), 3u, 0.9f);
    double squares = 0.5;
    for (u32 i = 0; i < 3; i++) {
        const Entry &e = entries[i];
        std::vector<double> moved, faster;
        for (size_t j = 0; j < sizes[i]; j++) {
            const float g = wide(gradients[i][j]), w = before[i][j];
            squares += static_cast<double>(g) * g;
            float v = speed[i][j];
            if (e.moves) {
                const float kept = 0.9f * v, decayed = e.decay * w, pushed = e.lr * g;
                v = kept - decayed;
                v = v - pushed;
            }
            faster.push_back(v);
            moved.push_back(e.moves ? w + v : w);
        }
        // The CPU's bits.
        compare("sgd's velocities", velocities[i], faster, 0);
        compare("sgd's weights", weights[i], moved, 0);
        if (e.copy != nullptr) {
            compare("sgd's copy", copies[i], moved, 4e-3);
        }
    }
    expect("the gradient's length", std::fabs(norm[0] - squares) < 1e-12 * squares);
}

template <class T> void values() {
    for (u64 pixels : {1ull, 605ull}) {
        for (u32 many : {4u, 8u}) {
            const u32 few = 3;
            const auto in = numbers<float>(50, pixels * few);
            std::vector<T> wider(pixels * many);
            std::vector<float> back(in.size()), sum(in.size(), 7.0f);
            launch(1, 1, widen_of<T>(), in.data(), wider.data(), pixels, few, many);
            std::vector<double> expected;
            for (size_t i = 0; i < wider.size(); i++) {
                const size_t c = i % many;
                expected.push_back(c < few ? wide(narrow_to<T>(in[i / many * few + c])) : 0.0);
            }
            compare("widen", wider, expected, 0);
            launch(1, 1, narrow_of<T>(), wider.data(), back.data(), pixels, few, many);
            std::vector<double> rounded;
            for (float value : in) {
                rounded.push_back(wide(narrow_to<T>(value)));
            }
            compare("narrow", back, rounded, 0);
            launch(1, 1, add_scaled_of<T>(), wider.data(), sum.data(), 0.25f, 1u, static_cast<u64>(sum.size()));
            launch(1, 1, add_scaled_of<T>(), wider.data(), sum.data(), 0.5f, 0u, static_cast<u64>(sum.size()));
            std::vector<double> total;
            for (size_t i = 0; i < sum.size(); i++) {
                total.push_back(0.75 * wide(wider[i]));
            }
            compare("add_scaled", sum, total, 1e-6);
        }
    }
}

void casts() {
    const auto in = numbers<float>(60, 1001);
    std::vector<bf16> half(in.size());
    std::vector<float> back(in.size());
    launch(1, 1, cast_f32_bf16, in.data(), half.data(), static_cast<u64>(in.size()));
    launch(1, 1, cast_bf16_f32, half.data(), back.data(), static_cast<u64>(in.size()));
    compare("casts", back, doubles(half), 0);
    compare("cast to bf16", half, doubles(in), 4e-3);
}

template <class T> void all() {
    finish<T>();
    activations<T>();
    pools<T>();
    norms<T>();
    map_norms<T>();
    dropouts<T>();
    losses<T>();
    updates<T>();
    values<T>();
}

int main() {
    all<float>();
    all<bf16>();
    casts();
    std::printf("%d checks hold\n", checks);
}
