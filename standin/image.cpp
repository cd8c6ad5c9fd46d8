// conv1's input, and pools.
#include "check.h"
#include "kernels.h"
#include "launch.h"

// A mean image of records that are larger than the images, and where each image's part of it lies: inside,
// or beyond its end, where the kernel takes the last part.
struct MeanImage {
    static constexpr u32 MARGIN = 3;
    u32 side;
    Placed<float> difference;
    Placed<u32> places;

    MeanImage(u32 rows, u32 height, u32 width)
        : side(std::max(height, width) + MARGIN), difference(numbers<float>(3, side * side * 3)), places(rows * 3, 0) {
        for (u32 row = 0; row < rows; row++) {
            places[row * 3] = row % (MARGIN + 1);
            places[row * 3 + 1] = row == 2 ? 4000000000u : 2 * row + 1;
            places[row * 3 + 2] = row % 2;
        }
    }
    float at(size_t row, size_t y, size_t x, size_t c, u32 height, u32 width) const {
        const size_t top = std::min<size_t>(places[row * 3], side - height);
        const size_t left = std::min<size_t>(places[row * 3 + 1], side - width);
        const size_t column = left + (places[row * 3 + 2] ? width - 1 - x : x);
        return difference[((top + y) * side + column) * 3 + c];
    }
};

// Images as conv1 takes them: in blocks of `block` pixels a side, with zeros around.
struct Canvas {
    u32 rows, height, width, before, high, across, channels, block;

    size_t size() const { return static_cast<size_t>(rows) * high * across * channels; }

    // What the canvas holds where channel c of pixel (y, x) of an image is value(row, y, x, c).
    template <class T, class Value> std::vector<double> of(Value value) const {
        std::vector<double> values(size());
        for (size_t i = 0; i < values.size(); i++) {
            const size_t pixel = i % channels / 3, c = i % channels % 3;
            const size_t x = i / channels % across * block + pixel % block;
            const size_t y = i / channels / across % high * block + pixel / block;
            const size_t row = i / channels / across / high;
            if (pixel < block * block && x >= before && x < before + width && y >= before && y < before + height) {
                values[i] = nearest<T>(value(row, y - before, x - before, c));
            }
        }
        return values;
    }
};

// Canvases of odd sizes.
static std::vector<Canvas> canvases() {
    const u32 sizes[][5] = {{3, 7, 5, 0, 3}, {2, 9, 17, 2, 2}, {1, 1, 1, 0, 0}, {1, 4, 3, 1, 0}};
    // Pixels of so many channels, or blocks of four pixels a side, which may end before the image or after it.
    const u32 blocks[][2] = {{1, 3}, {1, 4}, {1, 8}, {4, 48}};
    std::vector<Canvas> all;
    for (auto &[rows, height, width, before, after] : sizes) {
        for (auto &[block, channels] : blocks) {
            const u32 high = (height + before + after + 1) / block, across = (width + before + after + 2) / block;
            if (high > 0 && across > 0) {
                all.push_back({rows, height, width, before, high, across, channels, block});
            }
        }
    }
    return all;
}

template <class T> static void finish(const Canvas &to, size_t by, bool with_mean) {
    const auto &[rows, height, width, before, high, across, channels, block] = to;
    Placed<u8> bytes(rows * height * width * 3, by);
    for (size_t i = 0; i < bytes.size(); i++) {
        bytes[i] = static_cast<u8>(i * 37);
    }
    auto shifts = numbers<float>(1, rows * 3);
    const float scale[3] = {1.0f, 0.017f, 0.5f};
    const double offset[3] = {-123.7, -2.1, 0.3};
    // What the kernel leaves out is seen: it must write the zeros too.
    Placed<T> found(to.size(), by, narrow_to<T>(9));
    MeanImage mean(rows, height, width);
    const float *difference = with_mean ? mean.difference.data() : nullptr;
    const u32 *places = with_mean ? mean.places.data() : nullptr;
    launch(2, 1, finish_of<T>(), bytes.data(), shifts.data(), found.data(), scale[0], scale[1], scale[2], offset[0],
           offset[1], offset[2], difference, places, mean.side, rows, height, width, before, high, across, channels,
           block);
    const auto expected = to.of<T>([&](size_t row, size_t y, size_t x, size_t c) {
        const u8 byte = bytes[((row * to.height + y) * to.width + x) * 3 + c];
        const float product = static_cast<float>(byte) * scale[c];
        float sum = product + static_cast<float>(offset[c] + static_cast<double>(shifts[row * 3 + c]));
        if (with_mean) {
            sum += mean.at(row, y, x, c, to.height, to.width);
        }
        return sum;
    });
    // The loader's bits, and the CPU's where there is a mean image.
    compare(named<T>("finish"), found, expected, 0);
}

template <class T> static void place(const Canvas &to, size_t by) {
    const auto &[rows, height, width, before, high, across, channels, block] = to;
    auto values = numbers<float>(2, rows * height * width * 3, by);
    Placed<T> found(to.size(), by, narrow_to<T>(9));
    launch(2, 1, place_of<T>(), values.data(), found.data(), rows, height, width, before, high, across, channels, block);
    const auto expected = to.of<T>([&](size_t row, size_t y, size_t x, size_t c) {
        return values[((row * to.height + y) * to.width + x) * 3 + c];
    });
    compare(named<T>("place"), found, expected, 0);
}

template <class T> static void inputs() {
    for (const Canvas &canvas : canvases()) {
        for (size_t by : {0, 1}) {
            finish<T>(canvas, by, false);
            finish<T>(canvas, by, true);
            place<T>(canvas, by);
        }
    }
}

// With the channels of input and output in so many tensors each.
struct PoolColumns {
    u32 in, out;
};

template <class T>
static void pool(u32 rows, u32 height, u32 width, u32 channels, u32 kernel, u32 step, PoolColumns columns, size_t by) {
    const u32 high = (height - kernel) / step + 1, across = (width - kernel) / step + 1;
    auto in = numbers<T>(5, static_cast<size_t>(rows) * height * width * channels, by);
    // Equal values: the first wins.
    for (size_t i = 0; i < in.size(); i += 3) {
        in[i] = narrow_to<T>(0.5f);
    }
    const size_t n = static_cast<size_t>(rows) * high * across * channels;
    auto gradient = numbers<T>(6, n, by);
    Placed<T> out(n, by), back(in.size(), by, narrow_to<T>(9));
    Placed<u8> winners(n, by, 255);
    auto in_moved = moved(in, channels, columns.in, by), gradient_moved = moved(gradient, channels, columns.out, by);
    launch(2, 1, max_pool_of<T>(), in_moved.data(), out.data(), winners.data(), rows, height, width, channels,
           kernel, step, high, across, columns.in, columns.out);
    const auto backward = [&](const T *after_relu, Placed<T> &into) {
        launch(2, 1, max_pool_backward_of<T>(), winners.data(), after_relu, gradient_moved.data(), into.data(), rows,
               height, width, channels, kernel, step, high, across, columns.in, columns.out);
    };
    backward(nullptr, back);
    // Through a ReLU: windows whose largest value is not above 0 give nothing.
    Placed<T> through(in.size(), by, narrow_to<T>(9));
    backward(out.data(), through);
    std::vector<double> largest(n), places(n), sums(in.size()), masked(in.size());
    for (size_t i = 0; i < n; i++) {
        const size_t c = i % channels, x = i / channels % across, y = i / channels / across % high;
        const size_t row = i / channels / across / high;
        double best = -INFINITY;
        size_t from = 0;
        for (size_t place = 0; place < kernel * kernel; place++) {
            const size_t line = row * height + y * step + place / kernel;
            const size_t at = (line * width + x * step + place % kernel) * channels + c;
            if (wide(in[at]) > best) {
                best = wide(in[at]);
                places[i] = static_cast<double>(place);
                from = at;
            }
        }
        largest[i] = best;
        sums[from] += wide(gradient[i]);
        masked[from] += best > 0 ? wide(gradient[i]) : 0;
    }
    compare(named<T>("max_pool"), out, moved(largest, channels, columns.out), 0);
    compare(named<T>("max_pool"), winners, moved(places, channels, columns.out), 0);
    compare(named<T>("max_pool_backward"), back, moved(sums, channels, columns.in), rounding<T>());
    compare(named<T>("max_pool_backward"), through, moved(masked, channels, columns.in), rounding<T>());
}

template <class T> static void pools() {
    const u32 sizes[][6] = {{2, 7, 9, 5, 3, 2},  {1, 8, 6, 33, 2, 2}, {3, 3, 3, 1, 3, 2},
                            {2, 7, 5, 24, 3, 2}, {1, 6, 9, 8, 2, 3},  {1, 5, 5, 16, 3, 1}};
    for (auto &[rows, height, width, channels, kernel, step] : sizes) {
        for (size_t by : {0, 1}) {
            pool<T>(rows, height, width, channels, kernel, step, PoolColumns{1, 1}, by);
        }
    }
    // Halves of whole packs of both types, of f32 alone, and of neither.
    const u32 halves[][6] = {{3, 7, 9, 32, 3, 2}, {2, 5, 7, 24, 3, 2}, {3, 6, 5, 10, 2, 2}, {1, 3, 3, 2, 3, 2}};
    for (auto &[rows, height, width, channels, kernel, step] : halves) {
        for (PoolColumns columns : {PoolColumns{1, 2}, PoolColumns{2, 1}, PoolColumns{2, 2}}) {
            for (size_t by : {0, 1}) {
                pool<T>(rows, height, width, channels, kernel, step, columns, by);
            }
        }
    }
    for (u32 channels : {1u, 8u}) {
        Placed<T> in(4 * channels, 0, narrow_to<T>(1)), out(channels, 0);
        Placed<u8> winners(channels, 0);
        in[2 * channels] = narrow_to<T>(NAN);
        launch(1, 1, max_pool_of<T>(), in.data(), out.data(), winners.data(), 1u, 2u, 2u, channels, 2u, 2u, 1u, 1u, 1u, 1u);
        const bool others = channels == 1 || (wide(out[1]) == 1 && winners[1] == 0);
        expect(named<T>("max_pool"), "NaN wins", std::isnan(wide(out[0])) && winners[0] == 2 && others);
    }
}

void image_kernels() {
    inputs<float>();
    inputs<bf16>();
    pools<float>();
    pools<bf16>();
}
