"""The ten estimators: options, a task, and what can be asked of a fitted one.

- `base`: what all share.
- `sequence_estimator`: what those share that give labels or numbers to sequences.
- `sequence_classifier`: one class per sequence.
- `sequence_regressor`: numbers per sequence or per step.
- `sequence_labeler`: one class per step.
- `texts/`: one class, or numbers, per text.
- `video_classifier`: one class per clip.
- `text_generator`: writes text.
- `translator`: symbols to symbols.
- `forecaster`: the next steps of series.
- `anomaly_detector`: which steps are not like the normal ones.
- `loading`: a model file becomes the estimator that wrote it.
"""
