// A whole network of one stream as one call: scale the row, step the layers, pool, head, softmax. The same functions in
// the same order as the calls one by one, so the same bits; what is saved is the way through Python between them.
#pragma once

#include <cmath>
#include <vector>

#include "heads.hpp"
#include "step.hpp"

namespace recurra {

struct Running {
  const Table<float>& table;
  Step<float>& stack;
  const LinearHead<float>& head;
  const double *center, *spread;  // channels each, or null: the row goes in as it is
  bool pooled;                    // false: the last layer's state goes to the head
  Pooling pooling;
  Attention<float> attention;
  PoolState<float> pool_state;
  std::vector<float> x, pooled_row;  // work space: channels, features

  // Takes in one row of doubles or floats. False, with nothing changed, if a number is not finite (also as a float).
  // outputs: the head's; probabilities: as many, or null.
  template <class Row> bool step(const Row* row, float* outputs, float* probabilities) {
    // Before denormals are flushed: features are computed without.
    for (size_t k = 0; k < x.size(); ++k) {
      const double raw = double(row[k]);
      x[k] = float(center ? (raw - center[k]) / spread[k] : raw);
      if (!std::isfinite(x[k])) return false;
    }
    const float* states = stack.step(x.data());
    FlushDenormals flush;
    const int64_t features = head.features;
    if (pooled) {
      pool<float>(table, pooling, attention, states, 1, features, features, pool_state);
      const bool whole = pooling == Pooling::last || pooling == Pooling::max;
      const float parts = whole ? 1.0f : pooling == Pooling::mean ? float(*pool_state.count) : *pool_state.mass;
      for (size_t k = 0; k < pooled_row.size(); ++k)
        pooled_row[k] = whole ? pool_state.total[k] : pool_state.total[k] / parts;
      states = pooled_row.data();
    }
    head.apply(states, 1, outputs);
    if (probabilities) {
      std::copy_n(outputs, head.outputs, probabilities);
      softmax<float>(table, probabilities, 1, head.outputs);
    }
    return true;
  }
};

}  // namespace recurra
