// The step of all parameters, and the length of their gradient.
#include "check.h"
#include "kernels.h"
#include "launch.h"

template <class T> static void step(size_t by) {
    const std::vector<size_t> sizes{1, 777, 5000, 5003};
    const u32 count = static_cast<u32>(sizes.size()), parts = 3;
    std::vector<Placed<float>> weights, velocities;
    std::vector<Placed<T>> gradients;
    std::vector<Placed<bf16>> copies;
    std::vector<Entry> entries;
    for (u32 i = 0; i < count; i++) {
        weights.push_back(numbers<float>(20 + i, sizes[i], by));
        velocities.push_back(numbers<float>(30 + i, sizes[i], by));
        gradients.push_back(numbers<T>(40 + i, sizes[i], by));
        copies.emplace_back(sizes[i], by);
    }
    for (u32 i = 0; i < count; i++) {
        // The third one stays.
        entries.push_back({weights[i].data(), velocities[i].data(), gradients[i].data(),
                           i % 2 ? copies[i].data() : nullptr, sizes[i], 0.01f * static_cast<float>(i + 1),
                           5e-4f * static_cast<float>(i), sizeof(T) == 2, i != 2});
    }
    const auto before = weights, speed = velocities;
    std::vector<double> partial(count * parts), norm{0.5}, squares{0.5};
    launch(parts, count, norm_partial, entries.data(), count, partial.data(), parts);
    launch(1, 1, norm_final, partial.data(), norm.data(), count * parts);
    launch(2, count, sgd, entries.data(), count, 0.9f);
    for (u32 i = 0; i < count; i++) {
        const Entry &e = entries[i];
        std::vector<double> moved, faster, copied;
        for (size_t j = 0; j < sizes[i]; j++) {
            const float g = static_cast<float>(wide(gradients[i][j])), w = before[i][j];
            squares[0] += wide(g) * wide(g);
            float v = speed[i][j];
            if (e.moves) {
                const float kept = 0.9f * v, decayed = e.decay * w, pushed = e.lr * g;
                v = kept - decayed;
                v = v - pushed;
            }
            faster.push_back(v);
            moved.push_back(e.moves ? w + v : w);
            copied.push_back(nearest<bf16>(moved.back()));
        }
        // The CPU's bits.
        compare("sgd", velocities[i], faster, 0);
        compare("sgd", weights[i], moved, 0);
        if (e.copy != nullptr) {
            compare("sgd", copies[i], copied, 0);
        }
    }
    compare("norm_partial", norm, squares, 1e-13);
    compare("norm_final", norm, squares, 1e-13);
}

void sgd_kernels() {
    for (size_t by : {0, 1}) {
        step<float>(by);
        step<bf16>(by);
    }
}
