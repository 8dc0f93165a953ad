/* A whole synthetic picture: who stands where, drawn from far to near, and what is seen of each face in the end. */
#include "toolkit/data/synth.h"

#include "toolkit/data/synth_scene.h"

#include <math.h>
#include <stdlib.h>

typedef struct person {
    qmt_synth_face face;
    qmt_box box;
    bool backward; /* shows the back of the head: no face */
    int pixels;    /* of the face when it was drawn */
    int order;     /* in which it was placed; breaks ties */
} person;

static float choose_side(qmt_random *random, float low, float high)
{
    float u = qmt_random_float(random);
    /* Small faces are the most, as in WIDER FACE: half the time a density of 1 / side^2. */
    return qmt_random_float(random) < 0.5f ? low / (1 - u * (1 - low / high)) : low + u * (high - low) * u;
}

static void move_to(person *p, float x, float y)
{
    p->face.x = x;
    p->face.y = y;
    p->box = qmt_face_box(&p->face);
}

/* Makes the box's smaller side `side` pixels. */
static void scale_to(person *p, float side)
{
    p->face.scale = 100;
    move_to(p, 0, 0);
    p->face.scale *= side / fminf(p->box.x2 - p->box.x1, p->box.y2 - p->box.y1);
    move_to(p, 0, 0);
}

/* The share of the smaller box that the others cover the most. */
static float crowding(const person *people, int count, qmt_box box)
{
    float worst = 0;
    for (int i = 0; i < count; i++) {
        float smaller = fminf(qmt_box_area(box), qmt_box_area(people[i].box));
        worst = fmaxf(worst, qmt_box_intersection(box, people[i].box) / fmaxf(smaller, 1));
    }
    return worst;
}

static bool find_place(person *people, int count, const qmt_synth_config *config, qmt_random *random)
{
    enum { tries = 30 };
    person *p = &people[count];
    float width = p->box.x2 - p->box.x1, height = p->box.y2 - p->box.y1;
    float left = -p->box.x1, top = -p->box.y1; /* the box was made around 0, 0 */
    float past = qmt_random_float(random) < 0.06f ? 0.25f : 0,
          allowed = qmt_random_float(random) < 0.15f ? 0.5f : 0.08f;
    float room_x = (float)config->width - width * (1 - 2 * past),
          room_y = (float)config->height - height * (1 - 2 * past);
    for (int i = 0; i < tries && room_x > 0 && room_y > 0; i++) {
        float x = qmt_random_float(random) * room_x - past * width,
              y = qmt_random_float(random) * room_y - past * height;
        move_to(p, x + left, y + top);
        if (crowding(people, count, p->box) <= allowed)
            return true;
    }
    return false;
}

static void light_face(qmt_synth_face *face, qmt_random *random, qmt_vec light, qmt_vec color, float ambient)
{
    qmt_vec shift = {qmt_random_range(random, -0.2f, 0.2f), qmt_random_range(random, -0.2f, 0.2f), 0};
    face->light = qmt_unit_vector(qmt_add(light, shift));
    face->light_color = qmt_scale(color, qmt_random_range(random, 0.9f, 1.1f));
    face->ambient = ambient * qmt_random_range(random, 0.9f, 1.1f);
}

static int compare_people(const void *a, const void *b)
{
    const person *x = a, *y = b;
    if (x->face.scale != y->face.scale)
        return x->face.scale < y->face.scale ? -1 : 1;
    return x->order - y->order;
}

static void turn_around(qmt_synth_face *face)
{
    face->yaw += 3.1f;
    face->pitch *= 0.5f;
    if (face->hair == QMT_HAIR_NONE)
        face->hair = QMT_HAIR_SHORT;
    qmt_face_shape(face, 1, 1, 1);
}

static int place_people(person *people, const qmt_synth_config *config, qmt_random *random)
{
    int wanted = 1 + (int)qmt_random_below(random, (uint64_t)config->max_faces), count = 0;
    if (qmt_random_float(random) < 0.06f)
        wanted = 0;
    float smaller = (float)(config->width < config->height ? config->width : config->height);
    float low = (float)config->min_face, high = fminf((float)config->max_face, 0.68f * smaller);
    float strength = qmt_random_range(random, 0.3f, 0.85f),
          ambient = qmt_random_range(random, 1.1f, 1.3f) - 0.9f * strength;
    float warm = qmt_random_range(random, -0.12f, 0.12f), alike = qmt_random_float(random);
    qmt_vec color = {strength * (1 + warm), strength, strength * (1 - warm)};
    qmt_vec light = {qmt_random_range(random, -0.9f, 0.9f), qmt_random_range(random, -0.9f, 0.15f),
                     qmt_random_range(random, 0.45f, 1)};
    float side = choose_side(random, low, fmaxf(low, high));
    for (int i = 0; i < wanted; i++) {
        person *p = &people[count];
        *p = (person){.order = i};
        qmt_face_random(&p->face, random, qmt_random_float(random) < 0.3f ? 1 : 0.1f);
        light_face(&p->face, random, light, color, ambient);
        p->backward = qmt_random_float(random) < 0.06f;
        if (p->backward)
            turn_around(&p->face);
        if (alike > 0.3f) /* else a group: all about as far away */
            side = choose_side(random, low, fmaxf(low, high));
        scale_to(p, fmaxf(low, side * (alike > 0.3f ? 1 : qmt_random_range(random, 0.85f, 1))));
        count += find_place(people, count, config, random);
    }
    qsort(people, (size_t)count, sizeof *people, compare_people);
    return count;
}

static bool is_frontal(const qmt_synth_face *face)
{
    return fabsf(face->yaw) < 0.4f && fabsf(face->pitch) < 0.3f && fabsf(face->roll) < 0.35f;
}

/* The share of a box that lies in the picture. */
static float inside_share(const qmt_image *image, qmt_box box)
{
    qmt_box all = {0, 0, (float)image->width, (float)image->height};
    return qmt_box_intersection(box, all) / fmaxf(qmt_box_area(box), 1);
}

static qmt_label make_label(const qmt_canvas *canvas, const person *p, int visible_pixels)
{
    const float partly = 0.92f, heavily = 0.5f, hidden = 0.25f;
    qmt_label label = {.has_landmarks = true};
    label.box = (qmt_box){rintf(p->box.x1), rintf(p->box.y1), rintf(p->box.x2), rintf(p->box.y2)};
    qmt_face_landmarks(&p->face, label.landmarks);
    float visible =
        (float)visible_pixels / (float)(p->pixels > 0 ? p->pixels : 1) * inside_share(&canvas->image, p->box);
    bool covered = p->face.mask || p->face.eyewear == QMT_SUNGLASSES;
    label.occlusion = visible < heavily ? 2 : visible < partly || covered ? 1 : 0;
    label.invalid = visible < hidden;
    label.ignore = label.invalid;
    label.has_landmarks = !label.invalid;
    label.pose = !is_frontal(&p->face);
    label.expression = p->face.mouth_open > 0.07f;
    label.illumination = p->face.ambient < 0.45f && p->face.light.z < 0.55f;
    return label;
}

static void count_owners(const qmt_canvas *canvas, int counts[256])
{
    size_t pixels = (size_t)canvas->image.width * (size_t)canvas->image.height;
    for (size_t i = 0; i < pixels; i++)
        counts[canvas->owner[i]]++;
}

static qmtcnn_status draw(qmt_canvas *canvas, person *people, int count, qmt_random *random, qmtcnn_error *error)
{
    qmtcnn_status status = qmt_scene_background(canvas, random, error);
    for (int i = 0; i < count && status == QMTCNN_OK; i++) {
        person *p = &people[i];
        status = qmt_face_draw(&p->face, canvas, (uint8_t)(p->backward ? 0 : i + 1), &p->pixels, error);
        if (qmt_random_float(random) < 0.14f)
            qmt_scene_occlude(canvas, random, &p->face, p->box);
    }
    return status == QMTCNN_OK ? qmt_scene_expose(&canvas->image, random, error) : status;
}

static qmtcnn_status check_config(const qmt_synth_config *config, qmtcnn_error *error)
{
    if (config->width < 32 || config->height < 32 || config->width > 8192 || config->height > 8192)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "synth.width and synth.height must be 32 to 8192, not %d x %d",
                        config->width, config->height);
    if (config->max_faces < 1 || config->max_faces > qmt_synth_max_faces)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT, "synth.max_faces must be 1 to %d, not %d",
                        (int)qmt_synth_max_faces, config->max_faces);
    if (config->min_face < 8 || config->max_face < config->min_face)
        return qmt_fail(error, QMTCNN_ERROR_ARGUMENT,
                        "synth.min_face must be at least 8 and at most synth.max_face, not %d and %d", config->min_face,
                        config->max_face);
    return QMTCNN_OK;
}

qmtcnn_status qmt_synth_picture(const qmt_synth_config *config, uint64_t seed, uint64_t number, qmt_image *image,
                                qmt_label *labels, bool *frontal, int *count, qmtcnn_error *error)
{
    qmt_canvas canvas = {0};
    *image = (qmt_image){0};
    *count = 0;
    qmtcnn_status status = check_config(config, error);
    if (status != QMTCNN_OK)
        return status;
    qmt_random random = qmt_random_stream(seed, number, 0);
    person *people = qmt_alloc((size_t)config->max_faces, sizeof *people);
    canvas.owner = qmt_alloc_zero((size_t)config->width, (size_t)config->height);
    status = people && canvas.owner
                 ? qmt_image_create(config->width, config->height, &canvas.image, error)
                 : qmt_fail_memory(error, (size_t)config->width * (size_t)config->height, "a synthetic picture");
    if (status == QMTCNN_OK) {
        int placed = place_people(people, config, &random), owned[256] = {0};
        status = draw(&canvas, people, placed, &random, error);
        count_owners(&canvas, owned);
        for (int i = 0; i < placed && status == QMTCNN_OK; i++) {
            if (people[i].backward)
                continue;
            if (frontal)
                frontal[*count] = is_frontal(&people[i].face);
            labels[(*count)++] = make_label(&canvas, &people[i], owned[i + 1]);
        }
    }
    if (status == QMTCNN_OK) {
        *image = canvas.image;
        canvas.image.data = NULL;
    }
    qmt_image_clear(&canvas.image);
    qmt_free(canvas.owner);
    qmt_free(people);
    return status;
}
