/* The head's surface and where lines of sight meet it. */
#include "toolkit/data/synth_face.h"

#include <math.h>
#include <string.h>

static const float shape_top = -1.36f, shape_bottom = 1.0f; /* crown and chin */
static const float shape_middle = -0.35f;                   /* where the head is widest */

void qmt_face_shape(qmt_synth_face *face, float wide, float jaw, float chin)
{
    qmt_head_shape *shape = &face->shape;
    for (int i = 0; i <= qmt_shape_steps; i++) {
        float y = qmt_blend(shape_top, shape_bottom, (float)i / qmt_shape_steps);
        if (y < shape_middle) {
            float u = (y - shape_middle) / (shape_top - shape_middle), round = sqrtf(fmaxf(1 - u * u, 0));
            shape->width[i] = 0.75f * wide * round;
            shape->front[i] = 0.82f * round;
            shape->back[i] = 0.98f * round;
        } else {
            float u = (y - shape_middle) / (shape_bottom - shape_middle), u2 = u * u, u3 = u2 * u;
            /* A jaw between an ellipse (0) and a box's corner (1). */
            float taper = qmt_blend(1 - u2, 1 - u3 * u, qmt_clamp(0.45f * jaw, 0, 1));
            shape->width[i] = 0.75f * wide * sqrtf(fmaxf(taper, 0)) * (1 - 0.16f * chin * u2);
            shape->front[i] = 0.82f * sqrtf(fmaxf(1 - u3 * u3, 0)) * (1 - 0.06f * u);
            shape->back[i] = 0.98f * sqrtf(fmaxf(1 - u2, 0));
        }
    }
    float sy = qmt_synth_sine(face->yaw), cy = qmt_synth_cosine(face->yaw);
    float sp = qmt_synth_sine(face->pitch), cp = qmt_synth_cosine(face->pitch);
    float sr = qmt_synth_sine(face->roll), cr = qmt_synth_cosine(face->roll);
    /* First yaw about y, then pitch about x, then roll in the picture. */
    const float a[3][3] = {{cy, 0, sy}, {sp * sy, cp, -sp * cy}, {-cp * sy, sp, cp * cy}};
    for (int c = 0; c < 3; c++) {
        face->turn[0][c] = cr * a[0][c] - sr * a[1][c];
        face->turn[1][c] = sr * a[0][c] + cr * a[1][c];
        face->turn[2][c] = a[2][c];
    }
}

qmt_vec qmt_face_to_view(const qmt_synth_face *face, qmt_vec p)
{
    const float(*t)[3] = face->turn;
    return (qmt_vec){t[0][0] * p.x + t[0][1] * p.y + t[0][2] * p.z, t[1][0] * p.x + t[1][1] * p.y + t[1][2] * p.z,
                     t[2][0] * p.x + t[2][1] * p.y + t[2][2] * p.z};
}

static qmt_vec to_head(const qmt_synth_face *face, qmt_vec v)
{
    const float(*t)[3] = face->turn;
    return (qmt_vec){t[0][0] * v.x + t[1][0] * v.y + t[2][0] * v.z, t[0][1] * v.x + t[1][1] * v.y + t[2][1] * v.z,
                     t[0][2] * v.x + t[1][2] * v.y + t[2][2] * v.z};
}

void qmt_face_project(const qmt_synth_face *face, qmt_vec point, float *x, float *y)
{
    qmt_vec view = qmt_face_to_view(face, point);
    *x = face->x + face->scale * view.x;
    *y = face->y + face->scale * view.y;
}

/* A table's value at y, and its slope. */
static float look_up(const float *table, float y, float *slope)
{
    const float steps_per_unit = qmt_shape_steps / (shape_bottom - shape_top);
    float at = qmt_clamp((y - shape_top) * steps_per_unit, 0, qmt_shape_steps - 0.001f);
    int i = (int)at;
    float step = table[i + 1] - table[i];
    if (slope)
        *slope = step * steps_per_unit;
    return table[i] + step * (at - (float)i);
}

/* Inside (< 0) or outside (> 0) of the head, in halves of squares. */
static float level(const qmt_synth_face *face, qmt_vec p)
{
    if (p.y < shape_top || p.y > shape_bottom)
        return 1;
    float w = look_up(face->shape.width, p.y, NULL) + 1e-4f;
    float d = look_up(p.z > 0 ? face->shape.front : face->shape.back, p.y, NULL) + 1e-4f;
    float grown = p.z > 0 ? 1 + qmt_face_nose(face, p.x, p.y) : 1;
    return p.x * p.x / (w * w) + p.z * p.z / (d * d) - grown * grown;
}

static qmt_vec along(qmt_vec origin, qmt_vec direction, float t)
{
    return qmt_add(origin, qmt_scale(direction, t));
}

static qmt_vec surface_normal(const qmt_synth_face *face, qmt_vec p)
{
    float w_slope, d_slope, nose_x = 0, nose_y = 0;
    float w = look_up(face->shape.width, p.y, &w_slope) + 1e-3f;
    float d = look_up(p.z > 0 ? face->shape.front : face->shape.back, p.y, &d_slope) + 1e-3f;
    const float e = 0.01f;
    if (p.z > 0) {
        nose_x = (qmt_face_nose(face, p.x + e, p.y) - qmt_face_nose(face, p.x - e, p.y)) / (2 * e);
        nose_y = (qmt_face_nose(face, p.x, p.y + e) - qmt_face_nose(face, p.x, p.y - e)) / (2 * e);
    }
    return qmt_unit_vector((qmt_vec){p.x / (w * w) - nose_x,
                                     -p.x * p.x * w_slope / (w * w * w) - p.z * p.z * d_slope / (d * d * d) - nose_y,
                                     p.z / (d * d)});
}

/* The part of a line that lies in an ellipsoid around the whole head, nose and all. */
static bool enter_bounds(qmt_vec origin, qmt_vec direction, float *near, float *far)
{
    const qmt_vec center = {0, -0.18f, 0.02f}, per = {1 / 0.88f, 1 / 1.32f, 1 / 1.2f};
    qmt_vec o = qmt_multiply(qmt_add(origin, qmt_scale(center, -1)), per), d = qmt_multiply(direction, per);
    float a = qmt_dot(d, d), b = qmt_dot(o, d), c = qmt_dot(o, o) - 1, root = b * b - a * c;
    if (root <= 0)
        return false;
    root = sqrtf(root);
    *near = (-b + root) / a;
    *far = (-b - root) / a;
    return true;
}

/* The first place where the line gets into the head, between two places that are `step` apart; bisected. */
static bool find_entry(const qmt_synth_face *face, qmt_vec origin, qmt_vec direction, float near, float far, float *t)
{
    enum { steps = 8, refinements = 3 };
    float outside = near, outside_level = 1, inside = near, inside_level = 1;
    for (int i = 1; i <= steps && inside_level >= 0; i++) {
        if (i > 1) {
            outside = inside;
            outside_level = inside_level;
        }
        inside = qmt_blend(near, far, (float)(i * i) / (steps * steps)); /* most lines meet it soon */
        inside_level = level(face, along(origin, direction, inside));
    }
    if (inside_level >= 0)
        return false;
    for (int i = 0; i < refinements; i++) { /* halving and the chord in turn */
        float share = i == 1 ? 0.5f : qmt_clamp(outside_level / (outside_level - inside_level), 0.05f, 0.95f);
        float at = qmt_blend(outside, inside, share), found = level(face, along(origin, direction, at));
        if (found < 0) {
            inside = at;
            inside_level = found;
        } else {
            outside = at;
            outside_level = found;
        }
    }
    *t = qmt_blend(outside, inside, outside_level / (outside_level - inside_level));
    return true;
}

bool qmt_face_hit(const qmt_synth_face *face, float x, float y, float grow, qmt_hit *hit)
{
    const qmt_vec middle = {0, shape_middle, 0};
    qmt_vec direction = to_head(face, (qmt_vec){0, 0, 1}), origin = to_head(face, (qmt_vec){x, y, 0});
    origin = qmt_add(qmt_scale(qmt_add(origin, qmt_scale(middle, -1)), 1 / (1 + grow)), middle);
    float near, far, t;
    if (!enter_bounds(origin, direction, &near, &far) || !find_entry(face, origin, direction, near, far, &t))
        return false;
    hit->point = along(origin, direction, t);
    hit->normal = surface_normal(face, hit->point);
    hit->depth = t * (1 + grow);
    return true;
}

bool qmt_face_hit_ellipsoid(const qmt_synth_face *face, float x, float y, qmt_vec center, qmt_vec radii, qmt_hit *hit)
{
    qmt_vec d = to_head(face, (qmt_vec){0, 0, 1});
    qmt_vec o = qmt_add(to_head(face, (qmt_vec){x, y, 0}), qmt_scale(center, -1));
    qmt_vec per = {1 / radii.x, 1 / radii.y, 1 / radii.z};
    qmt_vec od = qmt_multiply(o, per), dd = qmt_multiply(d, per);
    float a = qmt_dot(dd, dd), b = qmt_dot(od, dd), c = qmt_dot(od, od) - 1, root = b * b - a * c;
    if (root < 0)
        return false;
    hit->depth = (-b + sqrtf(root)) / a;
    qmt_vec p = along(o, d, hit->depth);
    hit->point = qmt_add(p, center);
    hit->normal = qmt_unit_vector(qmt_multiply(p, qmt_multiply(per, per)));
    return true;
}

qmt_vec qmt_face_surface(const qmt_synth_face *face, float x, float y)
{
    float w = look_up(face->shape.width, y, NULL) + 1e-4f, d = look_up(face->shape.front, y, NULL);
    float grown = 1 + qmt_face_nose(face, x, y);
    return (qmt_vec){x, y, d * sqrtf(fmaxf(grown * grown - x * x / (w * w), 0))};
}

qmt_box qmt_face_box(const qmt_synth_face *face)
{
    enum { rows = 200, columns = 96 };
    qmt_box box = {1e9f, 1e9f, -1e9f, -1e9f};
    for (int r = 0; r <= rows; r++) {
        float y = qmt_blend(-1, shape_bottom, (float)r / rows), w = look_up(face->shape.width, y, NULL);
        for (int c = 0; c <= columns; c++) {
            /* Sines spread the columns evenly around the curve. */
            float side = qmt_synth_sine(qmt_blend(-1.57079633f, 1.57079633f, (float)c / columns)), px, py;
            qmt_face_project(face, qmt_face_surface(face, w * side, y), &px, &py);
            box.x1 = fminf(box.x1, px);
            box.x2 = fmaxf(box.x2, px);
            box.y1 = fminf(box.y1, py);
            box.y2 = fmaxf(box.y2, py);
        }
    }
    return box;
}

void qmt_face_landmarks(const qmt_synth_face *face, float landmarks[5][2])
{
    float corner_y = face->mouth_y - face->smile;
    const float places[5][2] = {{-face->eye_x, face->eye_y},
                                {face->eye_x, face->eye_y},
                                {0, face->nose_y},
                                {-face->mouth_width, corner_y},
                                {face->mouth_width, corner_y}};
    for (int i = 0; i < 5; i++)
        qmt_face_project(face, qmt_face_surface(face, places[i][0], places[i][1]), &landmarks[i][0], &landmarks[i][1]);
}
