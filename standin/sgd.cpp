// The step of all parameters, and the length of their gradient.
#include "check.h"
#include "kernels.h"
#include "launch.h"

template <class T> static void step(size_t by) {
    const std::vector<size_t> sizes{1, 777, 5000, 5003};
    const u32 count = static_cast<u32>(sizes.size()), blocks = 3;
    const float lr[4] = {0.01f, 0.02f, 0.03f, 0.04f}, decay[4] = {0.0f, 5e-4f, 1e-3f, 1.5e-3f};
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
                           i % 2 ? copies[i].data() : nullptr, sizes[i], (i + 1) % 4, sizeof(T) == 2, i != 2, 0});
    }
    const auto before = weights, speed = velocities;
    // What lies there before does not count.
    std::vector<double> partial(count * blocks, 1e9), norm{0.5}, squares{0.5};
    launch(blocks, count, sgd, entries.data(), count, 0.9f, lr[0], decay[0], lr[1], decay[1], lr[2], decay[2], lr[3],
           decay[3], partial.data());
    launch(1, 1, norm_final, partial.data(), norm.data(), count * blocks);
    for (u32 i = 0; i < count; i++) {
        const Entry &e = entries[i];
        std::vector<double> moved, faster, copied;
        for (size_t j = 0; j < sizes[i]; j++) {
            const float g = static_cast<float>(wide(gradients[i][j])), w = before[i][j];
            squares[0] += wide(g) * wide(g);
            float v = speed[i][j];
            if (e.moves) {
                const float kept = 0.9f * v, decayed = decay[e.rate] * w, pushed = lr[e.rate] * g;
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
    compare("norm_final", norm, squares, 1e-13);
}

void sgd_kernels() {
    for (size_t by : {0, 1}) {
        step<float>(by);
        step<bf16>(by);
    }
}
