// Softmax cross-entropy and hits.
#include "check.h"
#include "kernels.h"
#include "launch.h"

// The rows are all of `images`, or some of more.
template <class T> static void loss(u32 rows, u32 classes, float spread, u32 images) {
    const size_t n = static_cast<size_t>(rows) * classes;
    auto logits = numbers<T>(12, n);
    for (size_t i = 0; i < n; i++) {
        logits[i] = narrow_to<T>(static_cast<float>(spread * wide(logits[i])));
    }
    std::vector<i64> labels;
    for (u32 row = 0; row < rows; row++) {
        labels.push_back(row * 7 % classes);
        // Ties of the label with its neighbours on both sides.
        for (u32 class_ : {(row * 7 + 1) % classes, (row * 7 + classes - 1) % classes}) {
            logits[static_cast<size_t>(row) * classes + class_] = logits[static_cast<size_t>(row) * classes + row * 7 % classes];
        }
    }
    Placed<T> gradient(n, 0, narrow_to<T>(9));
    std::vector<double> row_scores(rows * 3), sums{1, 2, 3}, expected(n), scores(rows * 3), total{1, 2, 3};
    launch(rows, 1, cross_entropy_of<T>(), logits.data(), labels.data(), gradient.data(), row_scores.data(), classes, images);
    launch(1, 1, scores_add, row_scores.data(), sums.data(), rows);
    for (size_t row = 0; row < rows; row++) {
        auto own = [&](size_t c) { return wide(logits[row * classes + c]); };
        const size_t label = static_cast<size_t>(labels[row]);
        double sum = 0;
        size_t rank = 0;
        for (size_t c = 0; c < classes; c++) {
            sum += std::exp(own(c) - own(label));
            rank += own(c) > own(label) || (own(c) == own(label) && c < label);
        }
        scores[row * 3] = std::log(sum);
        scores[row * 3 + 1] = rank < 1;
        scores[row * 3 + 2] = rank < 5;
        for (size_t c = 0; c < classes; c++) {
            expected[row * classes + c] = (std::exp(own(c) - own(label)) / sum - (c == label)) / images;
        }
        for (size_t i = 0; i < 3; i++) {
            total[i] += scores[row * 3 + i];
        }
    }
    compare(named<T>("cross_entropy"), gradient, expected, sizeof(T) == 4 ? 1e-7 : rounding<T>());
    compare(named<T>("cross_entropy"), row_scores, scores, 1e-12);
    compare("scores_add", sums, total, 1e-12);
    expect("scores_add", "the hits are whole", sums[1] == total[1] && sums[2] == total[2]);
}

template <class T> static void losses() {
    loss<T>(1, 1, 8, 1);
    loss<T>(5, 3, 8, 5);
    loss<T>(3, 1001, 8, 3);
    loss<T>(11, 6, 0, 11);
    loss<T>(7, 7, 200, 7);
    loss<T>(4, 10, 8, 11);
    std::vector<T> broken{narrow_to<T>(NAN), narrow_to<T>(1)};
    std::vector<i64> label{0};
    std::vector<double> scores(3);
    launch(1, 1, cross_entropy_of<T>(), broken.data(), label.data(), static_cast<T *>(nullptr), scores.data(), 2u, 1u);
    expect(named<T>("cross_entropy"), "NaN shows in the loss and is no hit", std::isnan(scores[0]) && scores[1] == 0 && scores[2] == 0);
    label[0] = 1;
    launch(1, 1, cross_entropy_of<T>(), broken.data(), label.data(), static_cast<T *>(nullptr), scores.data(), 2u, 1u);
    expect(named<T>("cross_entropy"), "NaN ranks before the label", std::isnan(scores[0]) && scores[1] == 0 && scores[2] == 1);
}

// More rows than a block has threads.
static void sums_of_many() {
    std::vector<double> scores, sums{1, 2, 3}, total{1, 2, 3};
    for (size_t row = 0; row < 1025; row++) {
        const double row_scores[] = {std::sqrt(static_cast<double>(row)), row % 3 == 0 ? 1.0 : 0.0, row % 2 == 0 ? 1.0 : 0.0};
        for (size_t i = 0; i < 3; i++) {
            scores.push_back(row_scores[i]);
            total[i] += row_scores[i];
        }
    }
    launch(1, 1, scores_add, scores.data(), sums.data(), 1025u);
    compare("scores_add", sums, total, 1e-12);
}

void loss_kernels() {
    sums_of_many();
    losses<float>();
    losses<bf16>();
}
