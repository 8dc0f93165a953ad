// A complete detector in C++: owners that free themselves, exceptions for failures, options, and a picture in OpenCV's
// layout.
//
//   example_detect_cpp models/mtcnn_qat photo.ppm [SMALLEST_FACE]
#include <qmtcnn/qmtcnn.h>

#include "ppm.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace face
{

// Throws what went wrong, in words.
inline void check(qmtcnn_status status, const qmtcnn_error &error)
{
    if (status != QMTCNN_OK)
        throw std::runtime_error(error.message);
}

// Three networks. Share one among threads.
class Model
{
  public:
    explicit Model(const std::string &folder, qmtcnn_precision precision = QMTCNN_PRECISION_AUTO)
    {
        qmtcnn_error error;
        qmtcnn_model *model = nullptr;
        check(qmtcnn_model_open(folder.c_str(), precision, &model, &error), error);
        model_.reset(model);
    }
    const qmtcnn_model *get() const
    {
        return model_.get();
    }
    bool is_int8() const
    {
        return qmtcnn_model_precision(get()) == QMTCNN_PRECISION_INT8;
    }

    // Options with the thresholds that this model recommends.
    qmtcnn_options options() const
    {
        qmtcnn_options options;
        qmtcnn_options_default(get(), &options);
        return options;
    }

  private:
    struct Close {
        void operator()(qmtcnn_model *model) const
        {
            qmtcnn_model_close(model);
        }
    };
    std::unique_ptr<qmtcnn_model, Close> model_;
};

// Finds faces. One for each thread; the model must outlive it.
class Detector
{
  public:
    Detector(const Model &model, const qmtcnn_options &options)
    {
        qmtcnn_error error;
        qmtcnn_context *context = nullptr;
        check(qmtcnn_context_create(model.get(), &options, &context, &error), error);
        context_.reset(context);
    }

    // Pixels as OpenCV holds them: for a cv::Mat of type CV_8UC3, bgr(mat.data, mat.cols, mat.rows, mat.step).
    // Nothing is copied on the way in; a region of a larger Mat works too, since rows may be `step` bytes apart.
    std::vector<qmtcnn_face> bgr(const std::uint8_t *data, int columns, int rows, std::size_t step)
    {
        qmtcnn_image image = {data, columns, rows, static_cast<std::ptrdiff_t>(step), QMTCNN_BGR, nullptr, 0};
        qmtcnn_error error;
        const qmtcnn_face *faces = nullptr;
        std::size_t count = 0;
        check(qmtcnn_detect(context_.get(), &image, &faces, &count, &error), error);
        return count > 0 ? std::vector<qmtcnn_face>(faces, faces + count) : std::vector<qmtcnn_face>();
    }

    qmtcnn_timing timing() const
    {
        qmtcnn_timing timing;
        qmtcnn_context_timing(context_.get(), &timing);
        return timing;
    }

  private:
    struct Free {
        void operator()(qmtcnn_context *context) const
        {
            qmtcnn_context_free(context);
        }
    };
    std::unique_ptr<qmtcnn_context, Free> context_;
};

} // namespace face

// What cv::imread() would give: BGR.
static std::vector<std::uint8_t> read_bgr(const char *path, int &width, int &height)
{
    std::unique_ptr<std::uint8_t, decltype(&std::free)> rgb(read_ppm(path, &width, &height), &std::free);
    if (!rgb)
        throw std::runtime_error(std::string(path) + ": not a PPM picture (P6)");
    std::vector<std::uint8_t> bgr(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
    for (std::size_t i = 0; i < bgr.size(); i += 3) {
        bgr[i] = rgb.get()[i + 2];
        bgr[i + 1] = rgb.get()[i + 1];
        bgr[i + 2] = rgb.get()[i];
    }
    return bgr;
}

static void run(int argc, char **argv)
{
    const face::Model model(argv[1]);
    qmtcnn_options options = model.options();
    options.threads = 0; // one per processor
    if (argc > 3)
        options.min_face = std::atoi(argv[3]);
    face::Detector detector(model, options);

    int width = 0, height = 0;
    const std::vector<std::uint8_t> pixels = read_bgr(argv[2], width, height);
    const std::size_t step = 3 * static_cast<std::size_t>(width);
    const std::vector<qmtcnn_face> faces = detector.bgr(pixels.data(), width, height, step);

    std::printf("%s, %d x %d pixels, %.1f ms\n", model.is_int8() ? "INT8" : "FP32", width, height,
                detector.timing().total_ms);
    for (const qmtcnn_face &found : faces) {
        std::printf("%.1f %.1f %.1f x %.1f score %.3f, eyes at", found.x, found.y, found.width, found.height,
                    found.score);
        std::printf(" %.1f %.1f and %.1f %.1f\n", found.landmarks[0][0], found.landmarks[0][1], found.landmarks[1][0],
                    found.landmarks[1][1]);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        std::fprintf(stderr, "usage: %s MODELS PICTURE.ppm [SMALLEST_FACE]\n", argv[0]);
        return 2;
    }
    try {
        run(argc, argv);
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
    return 0;
}
