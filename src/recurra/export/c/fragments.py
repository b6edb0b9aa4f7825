"""The C of every part; ``@`` stands for the name of the network, sizes in capitals are constants of the file.

Products run input by input over all units at once, so that a compiler makes vectors of them without reordering sums.
"""

PRODUCT = """
/* Add the product of x (n numbers) and weights (n rows of units numbers) to y. */
static void add_product(float *y, const float *x, const float *w, int n, int units)
{
    int i, j;
    for (i = 0; i < n; ++i, w += units) {
        const float one = x[i];
        for (j = 0; j < units; ++j)
            y[j] += one * w[j];
    }
}
"""

COPY = """
static void copy(float *y, const float *x, int n)
{
    int j;
    for (j = 0; j < n; ++j)
        y[j] = x[j];
}
"""

# The rational function of the native kernels: unlike tanhf a compiler makes vectors of it.
ACTIVATIONS = """
/* tanh as x p(x x) / q(x x), relative error 2.1e-8 before rounding; beyond 9.011 it is 1 in float. */
static float tanh_of(float x)
{
    float s, p, q;
    x = x < -9.011f ? -9.011f : x;
    x = x > 9.011f ? 9.011f : x;
    s = x * x;
    p = 1.33350755e-08f * s + 2.05949991e-05f;
    q = 7.76855878e-07f * s + 3.28423665e-04f;
    p = p * s + 3.49473372e-03f;
    q = q * s + 2.58737318e-02f;
    p = p * s + 1.33803070e-01f;
    q = q * s + 4.67136204e-01f;
    p = p * s + 0.999999979f;
    q = q * s + 1.0f;
    x = x * p / q;
    x = x < -1.0f ? -1.0f : x;
    return x > 1.0f ? 1.0f : x;
}
"""
# The same of weights with eight bits, which are multiplied with the factor of their unit at the end.
ROUNDED = """
static void add_rounded(float *y, const float *x, const signed char *w, const float *factors, int n, int units)
{
    float sums[MOST_UNITS];
    int i, j;
    for (j = 0; j < units; ++j)
        sums[j] = 0.0f;
    for (i = 0; i < n; ++i, w += units) {
        const float one = x[i];
        for (j = 0; j < units; ++j)
            sums[j] += one * (float)w[j];
    }
    for (j = 0; j < units; ++j)
        y[j] += sums[j] * factors[j];
}
"""
SIGMOID = """
static float sigmoid(float x)
{
    return 0.5f + 0.5f * tanh_of(0.5f * x);
}
"""

# What a raw row goes through: scaling in double, as recurra scales, and missing values.
ROW = """
/* Scale a row, and fill what is missing. 0 times infinity or NaN is NaN, which answers keep from then on. */
static void prepare(@_state *state, const float *x, float *row)
{
    int c;
    for (c = 0; c < @_CHANNELS; ++c) {
PREPARED
    }
}
"""
NUMBER = "        const float one = x[c];"
GAPS = """        const float one = x[c] != x[c] ? state->filled[c] : x[c]; /* the last value stands in, else the mean */
        const double known = one != one ? gaps[c] : (double)one;
        state->filled[c] = one;"""
SCALED = "        row[c] = (float)((ONE - center[c]) / spread[c]);"
UNSCALED = "        row[c] = (float)ONE;"
# Whether there can be an answer; NaN is none where it is a missing value.
ANSWERABLE = "        state->no_answer += 0.0f * one;"
ANSWERABLE_MISSING = "        state->no_answer += one != one ? 0.0f : 0.0f * one;"
FILLED = """        row[@_CHANNELS + c] = 0.0f;
        if (row[c] != row[c]) { /* NaN: the last value stands in */
            row[c] = state->filled[c];
            row[@_CHANNELS + c] = 1.0f;
        }
        state->filled[c] = row[c];"""

FRONTS = {
    "": """
static void front(const float *w, const member_t *member, const float *row, float *y)
{
    (void)w;
    (void)member;
    copy(y, row, ROW);
}
""",
    "embedding": """
static void front(const float *w, const member_t *member, const float *row, float *y)
{
    int token = (int)row[0];
    if (token < 0 || token >= VOCABULARY)
        token = 0;
    copy(y, w + member->table + token * INPUT, INPUT);
}
""",
    "patches": """
/* A linear map of a window: the samples of one channel after those of another. */
static void front(const float *w, const member_t *member, const float *window, float *y)
{
    int c;
    copy(y, w + member->front_bias, INPUT);
    for (c = 0; c < ROW; ++c) {
        int t;
        for (t = 0; t < WINDOW; ++t)
            add_product(y, window + t * ROW + c, w + member->front + (c * WINDOW + t) * INPUT, 1, INPUT);
    }
}
""",
    "convolution": """
/* Two convolutions inside of a window, and the largest value of each filter. */
static void front(const float *w, const member_t *member, const float *window, float *y)
{
    float first[PLACES * INPUT], second[INPUT];
    int p, k, j;
    for (p = 0; p < PLACES; ++p) {
        float *at = first + p * INPUT;
        copy(at, w + member->front_bias, INPUT);
        for (k = 0; k < KERNEL; ++k)
            add_product(at, window + (p * STRIDE + k) * ROW, w + member->front + k * ROW * INPUT, ROW, INPUT);
        for (j = 0; j < INPUT; ++j)
            at[j] = at[j] > 0.0f ? at[j] : 0.0f;
    }
    for (j = 0; j < INPUT; ++j)
        y[j] = 0.0f;
    for (p = 0; p < PLACES_2; ++p) {
        copy(second, w + member->front_bias_2, INPUT);
        for (k = 0; k < KERNEL_2; ++k)
            add_product(second, first + (p * STRIDE_2 + k) * INPUT, w + member->front_2 + k * INPUT * INPUT, INPUT, INPUT);
        for (j = 0; j < INPUT; ++j)
            y[j] = second[j] > y[j] ? second[j] : y[j];
    }
}
""",
}

# Causal convolutions remember the rows that their kernels still see, the oldest first.
CONVOLUTIONS_STEP = """
static void front(const float *w, const member_t *member, float *seen, const float *row, float *y)
{
    float now[WIDEST];
    int i, j, k;
    copy(now, row, ROW);
    for (i = 0; i < CONVOLUTIONS; ++i) {
        const convolution_t *own = &convolutions[i];
        const int n = own->channels;
        const float *kernel = w + member->kernels[i];
        for (j = 0; j < own->span * n; ++j)
            seen[j] = seen[j + n];
        copy(seen + own->span * n, now, n);
        copy(now, w + member->kernel_biases[i], own->filters);
        for (k = 0; k < own->taps; ++k)
            add_product(now, seen + k * own->dilation * n, kernel + k * n * own->filters, n, own->filters);
        for (j = 0; j < own->filters; ++j)
            now[j] = now[j] > 0.0f ? now[j] : 0.0f;
        seen += (own->span + 1) * n;
    }
    copy(y, now, INPUT);
}
"""
CONVOLUTIONS_WHOLE = """
/* One layer over a whole sequence, which sees zeros before its beginning and after its end. */
static void convolve(const float *w, const member_t *member, int i, const float *x, float *y, int length)
{
    const convolution_t *own = &convolutions[i];
    int t, k, j;
    for (t = 0; t < length; ++t) {
        float *at = y + t * WIDEST;
        copy(at, w + member->kernel_biases[i], own->filters);
        for (k = 0; k < own->taps; ++k) {
            const int place = t + k * own->dilation - own->before;
            if (place >= 0 && place < length)
                add_product(at, x + place * WIDEST, w + member->kernels[i] + k * own->channels * own->filters,
                            own->channels, own->filters);
        }
        for (j = 0; j < own->filters; ++j)
            at[j] = at[j] > 0.0f ? at[j] : 0.0f;
    }
}
"""

POOLS = {
    "mean": "        pool->total[j] += h[j];",
    "max": "        pool->highest[j] = first || h[j] > pool->highest[j] ? h[j] : pool->highest[j];",
}
ATTEND = """
    {
        float hidden[FEATURES], score = 0.0f, top, keep, add;
        copy(hidden, w + member->score_bias, FEATURES);
        add_product(hidden, h, w + member->score, FEATURES, FEATURES);
        for (j = 0; j < FEATURES; ++j)
            score += tanh_of(hidden[j]) * w[member->context + j];
        top = first || score > pool->top ? score : pool->top;
        keep = first ? 0.0f : expf(pool->top - top);
        add = expf(score - top);
        pool->mass = pool->mass * keep + add;
        for (j = 0; j < FEATURES; ++j)
            pool->weighted[j] = pool->weighted[j] * keep + add * h[j];
        pool->top = top;
    }"""
TAKE = """
/* Take a state of the last layer into the poolings. */
static void take(const float *w, const member_t *member, @_pool *pool, const float *h)
{
    const int first = pool->count == 0;
    int j;
    for (j = 0; j < FEATURES; ++j) {
        pool->last[j] = h[j];
TAKEN
    }ATTEND
    ++pool->count;
    (void)w;
    (void)member;
    (void)first;
}

/* What the head reads: zeros before the first row. */
static void pooled(const @_pool *pool, float *y)
{
    const float rows = pool->count ? (float)pool->count : 1.0f;
    int j;
    for (j = 0; j < FEATURES; ++j) {
POOLED
    }
    (void)rows;
}
"""
POOLED = {
    "last": "pool->last[j]",
    "mean": "pool->total[j] / rows",
    "max": "pool->highest[j]",
    "attention": "pool->weighted[j] / (pool->count ? pool->mass : 1.0f)",
}

# The answer of one member is added to out; `finish` divides by their number.
HEAD_CHOICE = """
/* Add the probabilities that one member gives for what its head reads to out. */
static void head(const float *w, const member_t *member, const float *x, float *out)
{
    float y[OUTPUTS], top, sum = 0.0f;
    int j;
    copy(y, w + member->head_bias, OUTPUTS);
    add_product(y, x, w + member->head, HEAD, OUTPUTS);
    top = y[0];
    for (j = 1; j < OUTPUTS; ++j)
        top = y[j] > top ? y[j] : top;
    for (j = 0; j < OUTPUTS; ++j) {
        y[j] = expf(y[j] - top);
        sum += y[j];
    }
    for (j = 0; j < OUTPUTS; ++j)
        out[j] += y[j] / sum;
}

static void finish(float *out)
{
    int j;
    for (j = 0; j < OUTPUTS; ++j)
        out[j] /= (float)MEMBERS;
}

int @_label(const float *out)
{
    int best = out[0] != out[0] ? -1 : 0, j;
    for (j = 1; j < @_OUTPUTS; ++j)
        best = best >= 0 && out[j] > out[best] ? j : best;
    return best;
}
"""
HEAD_NUMBERS = """
/* Add the numbers that one member gives for what its head reads to out. */
static void head(const float *w, const member_t *member, const float *x, float *out)
{
    float y[OUTPUTS];
    int j;
    copy(y, w + member->head_bias, OUTPUTS);
    add_product(y, x, w + member->head, HEAD, OUTPUTS);
    for (j = 0; j < OUTPUTS; ++j)
        out[j] += y[j];
}
"""
FINISH_NUMBERS = """
static void finish(float *out)
{
    int j;
    for (j = 0; j < OUTPUTS; ++j)
        out[j] = (float)((double)(out[j] / (float)MEMBERS) * target_spread[j] + target_center[j]);
}
"""
FINISH_QUANTILES = """
/* Sort the quantiles of every target; the median, interpolated, stands before them. */
static void finish(float *out)
{
    float y[OUTPUTS];
    int target, j, k;
    copy(y, out, OUTPUTS);
    for (target = 0; target < TARGETS; ++target) {
        float *own = y + target * QUANTILES;
        for (j = 0; j < QUANTILES; ++j)
            own[j] /= (float)MEMBERS;
        for (j = 1; j < QUANTILES; ++j) {
            const float one = own[j];
            for (k = j; k > 0 && own[k - 1] > one; --k)
                own[k] = own[k - 1];
            own[k] = one;
        }
        out[target] = (float)((double)(LOW_SHARE * own[LOW] + HIGH_SHARE * own[HIGH]) * target_spread[target]
                              + target_center[target]);
        for (j = 0; j < QUANTILES; ++j)
            out[TARGETS + target * QUANTILES + j] =
                (float)((double)own[j] * target_spread[target] + target_center[target]);
    }
}
"""

CLEAR = """
static void clear(float *out, int n)
{
    int j;
    for (j = 0; j < n; ++j)
        out[j] = 0.0f;
}

static void add(float one, float *out, int n)
{
    int j;
    for (j = 0; j < n; ++j)
        out[j] += one;
}
"""

# ------------------------------------------------------------------------------- row by row

LAYERS_STEP = """
/* Feed one row to a member; h of its last layer is what it has to say. */
static void advance(@_state *state, int m, const float *row)
{
    const float *w = state->weights;
    float x[INPUT];
    int layer;
    FRONT
    for (layer = 0; layer < LAYERS; ++layer)
        cell(w, &members[m].layers[layer], layer ? state->h[m][layer - 1] : x, state->h[m][layer] CELL_STATE);
TAKEN
}

/* Write what the rows so far give. */
static void answer(const @_state *state, float *out)
{
    int m;
    clear(out, @_OUTPUTS);
    for (m = 0; m < MEMBERS; ++m) {
READ
    }
    finish(out);
    add(state->no_answer, out, @_OUTPUTS);
}
"""
STEP = """
int @_step(@_state *state, const float *x, float *out)
{
    float row[ROW];
    int m;
    prepare(state, x, row);
    for (m = 0; m < MEMBERS; ++m)
        advance(state, m, row);
    answer(state, out);
    return 1;
}
"""
STEP_WINDOWS = """
int @_step(@_state *state, const float *x, float *out)
{
    int m, j;
    prepare(state, x, state->window + state->held * ROW);
    if (++state->held < WINDOW)
        return 0;
    for (m = 0; m < MEMBERS; ++m)
        advance(state, m, state->window);
    state->held = WINDOW - HOP;
    for (j = 0; j < state->held * ROW; ++j)
        state->window[j] = state->window[j + HOP * ROW];
    answer(state, out);
    return 1;
}
"""
RUN_STEPS = """
int @_run(@_state *state, const float *x, int length, float *out)
{
    int t, answers = 0;
    @_init(state AGAIN);
    if (length < 0)
        return -1;
    EMPTY
    for (t = 0; t < length; ++t)
        answers += @_step(state, x + t * @_CHANNELS, OUT);
    return answers;
}
"""

# ------------------------------------------------------------------------------- whole sequences

WHOLE = """
/* One direction of a layer over all rows of x, beside the other in y. */
static void direction(const float *w, const layer_t *layer, const float *x, float *y, int length, int backward)
{
    float h[HIDDEN];
    int t;
    clear(h, HIDDEN);
    CELL_DECLARE
    for (t = 0; t < length; ++t) {
        const int place = backward ? length - 1 - t : t;
        cell(w, layer, x + place * WIDEST, h CELL_STATE);
        copy(y + place * WIDEST + backward * HIDDEN, h, HIDDEN);
    }
}

int @_run(@_state *state, const float *x, int length, float *out)
{
    const float *w = state->weights;
    int t, m, layer, rows = length;
    if (length < 0 || length > @_LONGEST)
        return -1;
    FORGET
    CLEAR_OUT
    for (t = 0; t < length; ++t)
        prepare(state, x + t * @_CHANNELS, state->rows + t * ROW);
    ROWS
    for (m = 0; m < MEMBERS; ++m) {
        const member_t *member = &members[m];
        float *from = state->a, *to = state->b, *swap;
        FRONT
        for (layer = 0; layer < LAYERS; ++layer) {
            int d;
            for (d = 0; d < DIRECTIONS; ++d)
                direction(w, &member->layers[layer * DIRECTIONS + d], from, to, rows, d);
            swap = from;
            from = to;
            to = swap;
        }
        READ
    }
    FINISH
    add(state->no_answer, out, COUNT);
    return rows;
}
"""
