"""The C of the cells: one step of a layer, each spelled out so that it can be read by itself.

What a layer has beside matrices and biases is at ``layer->extra``.
"""

NORMALIZE = """
/* y less its mean, over its standard deviation, times the gain. */
static void normalize(float *y, const float *gain, int n)
{
    float mean = 0.0f, variance = 0.0f, scale;
    int j;
    for (j = 0; j < n; ++j)
        mean += y[j];
    mean /= (float)n;
    for (j = 0; j < n; ++j) {
        y[j] -= mean;
        variance += y[j] * y[j];
    }
    scale = 1.0f / sqrtf(variance / (float)n + EPSILON);
    for (j = 0; j < n; ++j)
        y[j] *= scale * gain[j];
}
"""

CELLS = {
    "lstm": """
/* One step of a layer: gates i, f, g, o. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h, float *c)
{
    float gates[4 * HIDDEN];
    int j;
    copy(gates, w + layer->bias, 4 * HIDDEN);
    add_product(gates, x, w + layer->input, layer->width, 4 * HIDDEN);
    add_product(gates, h, w + layer->recurrent, HIDDEN, 4 * HIDDEN);
    for (j = 0; j < HIDDEN; ++j) {
        const float i = sigmoid(gates[j]);
        const float f = sigmoid(gates[HIDDEN + j]);
        const float g = tanh_of(gates[2 * HIDDEN + j]);
        const float o = sigmoid(gates[3 * HIDDEN + j]);
        c[j] = f * c[j] + i * g;
        h[j] = o * tanh_of(c[j]);
    }
}
""",
    "gru": """
/* One step of a layer: gates r, z, n; the reset gate acts after the product. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h)
{
    float a[3 * HIDDEN], u[3 * HIDDEN];
    int j;
    copy(a, w + layer->bias, 3 * HIDDEN);
    copy(u, w + layer->bias + 3 * HIDDEN, 3 * HIDDEN);
    add_product(a, x, w + layer->input, layer->width, 3 * HIDDEN);
    add_product(u, h, w + layer->recurrent, HIDDEN, 3 * HIDDEN);
    for (j = 0; j < HIDDEN; ++j) {
        const float r = sigmoid(a[j] + u[j]);
        const float z = sigmoid(a[HIDDEN + j] + u[HIDDEN + j]);
        const float n = tanh_of(a[2 * HIDDEN + j] + r * u[2 * HIDDEN + j]);
        h[j] = (1.0f - z) * n + z * h[j];
    }
}
""",
    "rnn": """
/* One step of a layer. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h)
{
    float a[HIDDEN];
    int j;
    copy(a, w + layer->bias, HIDDEN);
    add_product(a, x, w + layer->input, layer->width, HIDDEN);
    add_product(a, h, w + layer->recurrent, HIDDEN, HIDDEN);
    for (j = 0; j < HIDDEN; ++j)
        h[j] = ACTIVATION;
}
""",
    "lstm_peephole": """
/* One step of a layer: gates i, f, g, o, of which i and f see the cell state, and o the new one. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h, float *c)
{
    const float *peephole = w + layer->extra;
    float gates[4 * HIDDEN];
    int j;
    copy(gates, w + layer->bias, 4 * HIDDEN);
    add_product(gates, x, w + layer->input, layer->width, 4 * HIDDEN);
    add_product(gates, h, w + layer->recurrent, HIDDEN, 4 * HIDDEN);
    for (j = 0; j < HIDDEN; ++j) {
        const float i = sigmoid(gates[j] + peephole[j] * c[j]);
        const float f = sigmoid(gates[HIDDEN + j] + peephole[HIDDEN + j] * c[j]);
        c[j] = f * c[j] + i * tanh_of(gates[2 * HIDDEN + j]);
        h[j] = sigmoid(gates[3 * HIDDEN + j] + peephole[2 * HIDDEN + j] * c[j]) * tanh_of(c[j]);
    }
}
""",
    "lstm_norm": """
/* One step of a layer: gates i, f, g, o, both products and the cell state normalized. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h, float *c)
{
    const float *gain = w + layer->extra, *bias = w + layer->bias;
    float a[4 * HIDDEN], u[4 * HIDDEN], inside[HIDDEN];
    int j;
    clear(a, 4 * HIDDEN);
    clear(u, 4 * HIDDEN);
    add_product(a, x, w + layer->input, layer->width, 4 * HIDDEN);
    add_product(u, h, w + layer->recurrent, HIDDEN, 4 * HIDDEN);
    normalize(a, gain, 4 * HIDDEN);
    normalize(u, gain + 4 * HIDDEN, 4 * HIDDEN);
    for (j = 0; j < 4 * HIDDEN; ++j)
        a[j] += u[j] + bias[j];
    for (j = 0; j < HIDDEN; ++j) {
        c[j] = sigmoid(a[HIDDEN + j]) * c[j] + sigmoid(a[j]) * tanh_of(a[2 * HIDDEN + j]);
        inside[j] = c[j];
    }
    normalize(inside, gain + 8 * HIDDEN, HIDDEN);
    for (j = 0; j < HIDDEN; ++j)
        h[j] = sigmoid(a[3 * HIDDEN + j]) * tanh_of(inside[j] + gain[9 * HIDDEN + j]);
}
""",
    "gru_norm": """
/* One step of a layer: gates r, z, n, both products normalized, those of r and z together and those of n alone. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h)
{
    const float *gain = w + layer->extra, *bias = w + layer->bias;
    float a[3 * HIDDEN], u[3 * HIDDEN];
    int j;
    clear(a, 3 * HIDDEN);
    clear(u, 3 * HIDDEN);
    add_product(a, x, w + layer->input, layer->width, 3 * HIDDEN);
    add_product(u, h, w + layer->recurrent, HIDDEN, 3 * HIDDEN);
    normalize(a, gain, 2 * HIDDEN);
    normalize(a + 2 * HIDDEN, gain + 2 * HIDDEN, HIDDEN);
    normalize(u, gain + 3 * HIDDEN, 2 * HIDDEN);
    normalize(u + 2 * HIDDEN, gain + 5 * HIDDEN, HIDDEN);
    for (j = 0; j < 3 * HIDDEN; ++j) {
        a[j] += bias[j];
        u[j] += bias[3 * HIDDEN + j];
    }
    for (j = 0; j < HIDDEN; ++j) {
        const float r = sigmoid(a[j] + u[j]);
        const float z = sigmoid(a[HIDDEN + j] + u[HIDDEN + j]);
        const float n = tanh_of(a[2 * HIDDEN + j] + r * u[2 * HIDDEN + j]);
        h[j] = (1.0f - z) * n + z * h[j];
    }
}
""",
    "gru_before": """
/* One step of a layer: gates r, z, n; the reset gate acts before the product. The matrix of n stands behind that of r, z. */
static void cell(const float *w, const layer_t *layer, const float *x, float *h)
{
    float a[3 * HIDDEN], u[2 * HIDDEN], reset[HIDDEN];
    int j;
    copy(a, w + layer->bias, 3 * HIDDEN);
    clear(u, 2 * HIDDEN);
    add_product(a, x, w + layer->input, layer->width, 3 * HIDDEN);
    add_product(u, h, w + layer->recurrent, HIDDEN, 2 * HIDDEN);
    for (j = 0; j < HIDDEN; ++j)
        reset[j] = sigmoid(a[j] + u[j]) * h[j];
    add_product(a + 2 * HIDDEN, reset, w + layer->recurrent + 2 * HIDDEN * HIDDEN, HIDDEN, HIDDEN);
    for (j = 0; j < HIDDEN; ++j) {
        const float z = sigmoid(a[HIDDEN + j] + u[HIDDEN + j]);
        h[j] = (1.0f - z) * tanh_of(a[2 * HIDDEN + j]) + z * h[j];
    }
}
""",
}

# Cells whose step is that of another with another activation.
SAME_STEP = {"rnn_relu": "rnn"}


def has_step(cell: str) -> bool:
    """Return whether there is C for a cell."""
    return SAME_STEP.get(cell, cell) in CELLS


def step_of(cell: str) -> str:
    """Return the C of a step."""
    return CELLS[SAME_STEP.get(cell, cell)]


def keeps_products_apart(cell: str) -> bool:
    """Return whether a step holds the products of input and state on the stack side by side, not their sum."""
    return " u[" in step_of(cell)
