#include "convolution.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

namespace host {

static std::size_t patch_len(const Convolution &c) { return c.kernel_high * c.kernel_wide * (c.inputs / c.groups); }

static const void *from(const void *values, Kind kind, std::size_t first) {
    return static_cast<const std::byte *>(values) + first * bytes_of(kind);
}

// Calls with the place in the patches and in the image of every run of a group's channels.
template <class Run> static void patches(const Convolution &c, std::size_t group, const Run &run) {
    const std::size_t few = c.inputs / c.groups;
    for (std::size_t pixel = 0; pixel < c.high * c.wide; pixel++) {
        for (std::size_t r = 0; r < c.kernel_high; r++) {
            // Below 0 it wraps around, and is not within the image either.
            const std::size_t y = pixel / c.wide * c.stride_high + r - c.padding_high;
            for (std::size_t s = 0; s < c.kernel_wide; s++) {
                const std::size_t x = pixel % c.wide * c.stride_wide + s - c.padding_wide;
                if (y < c.height && x < c.width) {
                    run((pixel * c.kernel_high * c.kernel_wide + r * c.kernel_wide + s) * few,
                        (y * c.width + x) * c.inputs + group * few);
                }
            }
        }
    }
}

static std::vector<float> gather(const Convolution &c, std::size_t group, const void *image) {
    const std::size_t few = c.inputs / c.groups;
    std::vector<float> columns(c.high * c.wide * patch_len(c));
    patches(c, group, [&](std::size_t to, std::size_t at) {
        if (c.kind == Kind::F32) {
            std::memcpy(&columns[to], static_cast<const float *>(image) + at, few * sizeof(float));
            return;
        }
        for (std::size_t i = 0; i < few; i++) {
            columns[to + i] = load(image, c.kind, at + i);
        }
    });
    return columns;
}

static float blended(Blend blend, float value, const void *old, Kind kind, std::size_t i) {
    return blend.times * value + (blend.keep == 0.0f ? 0.0f : blend.keep * load(old, kind, i));
}

void forward(const Convolution &c, const void *x, const void *w, void *y, Blend blend, const Epilogue *epilogue, bool halved) {
    const std::size_t pixels = c.high * c.wide, patch = patch_len(c), few = c.outputs / c.groups;
    each(c.rows, [&](std::size_t row) {
        std::vector<float> sums(pixels * few);
        const void *image = from(x, c.kind, row * c.height * c.width * c.inputs);
        for (std::size_t group = 0; group < c.groups; group++) {
            const std::vector<float> columns = gather(c, group, image);
            const std::size_t first = halved ? patch / 2 : patch;
            const Matrix a{columns.data(), Kind::F32, patch, 1, c.tf32};
            const Matrix b{from(w, c.kind, group * few * patch), c.kind, 1, patch, c.tf32};
            multiply(pixels, few, first, a, b, sums.data(), few, false);
            if (first < patch) {
                std::vector<float> rest(pixels * few);
                const Matrix more_a{columns.data() + first, Kind::F32, patch, 1, c.tf32};
                const Matrix more_b{from(w, c.kind, group * few * patch + first), c.kind, 1, patch, c.tf32};
                multiply(pixels, few, patch - first, more_a, more_b, rest.data(), few, false);
                for (std::size_t i = 0; i < pixels * few; i++) {
                    sums[i] += rest[i];
                }
            }
            for (std::size_t i = 0; i < pixels * few; i++) {
                const std::size_t channel = group * few + i % few;
                const std::size_t to = (row * pixels + i / few) * c.outputs + channel;
                float value = blended(blend, sums[i], y, c.kind, to);
                if (epilogue != nullptr) {
                    value += load(epilogue->bias, c.kind, channel);
                    value = epilogue->relu && !(value > 0.0f) ? 0.0f : value;
                }
                store(y, c.kind, to, value);
            }
        }
    });
}

void backward_data(const Convolution &c, const void *w, const void *dy, void *dx, Blend blend) {
    const std::size_t pixels = c.high * c.wide, patch = patch_len(c), few = c.outputs / c.groups;
    const std::size_t image_len = c.height * c.width * c.inputs;
    each(c.rows, [&](std::size_t row) {
        std::vector<float> image(image_len), columns(pixels * patch);
        for (std::size_t group = 0; group < c.groups; group++) {
            const Matrix a{from(dy, c.kind, row * pixels * c.outputs + group * few), c.kind, c.outputs, 1, c.tf32};
            const Matrix b{from(w, c.kind, group * few * patch), c.kind, patch, 1, c.tf32};
            multiply(pixels, patch, few, a, b, columns.data(), patch, false);
            patches(c, group, [&](std::size_t at, std::size_t to) {
                for (std::size_t i = 0; i < c.inputs / c.groups; i++) {
                    image[to + i] += columns[at + i];
                }
            });
        }
        for (std::size_t i = 0; i < image_len; i++) {
            const std::size_t to = row * image_len + i;
            store(dx, c.kind, to, blended(blend, image[i], dx, c.kind, to));
        }
    });
}

void backward_filter(const Convolution &c, const void *x, const void *dy, void *dw, Blend blend, unsigned shuffled) {
    const std::size_t pixels = c.high * c.wide, patch = patch_len(c), few = c.outputs / c.groups;
    // Images are summed up in two halves, whatever the number of processors.
    std::vector<std::size_t> order(c.rows);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (shuffled != 0) {
        std::shuffle(order.begin(), order.end(), std::mt19937(shuffled));
    }
    std::vector<float> sums[2];
    each(2, [&](std::size_t half) {
        sums[half].assign(c.weight_len(), 0.0f);
        for (std::size_t at = half; at < c.rows; at += 2) {
            const std::size_t row = order[at];
            const void *image = from(x, c.kind, row * c.height * c.width * c.inputs);
            for (std::size_t group = 0; group < c.groups; group++) {
                const std::vector<float> columns = gather(c, group, image);
                const Matrix a{from(dy, c.kind, row * pixels * c.outputs + group * few), c.kind, 1, c.outputs, c.tf32};
                const Matrix b{columns.data(), Kind::F32, patch, 1, c.tf32};
                multiply(few, patch, pixels, a, b, sums[half].data() + group * few * patch, patch, true);
            }
        }
    });
    for (std::size_t i = 0; i < c.weight_len(); i++) {
        store(dw, c.kind, i, blended(blend, sums[0][i] + sums[1][i], dw, c.kind, i));
    }
}

} // namespace host
