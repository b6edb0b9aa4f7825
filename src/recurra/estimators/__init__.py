"""The nine estimators: options, a task, and what can be asked of a fitted one.

`base.py`: what all share. `sequence_estimator.py`: what those share that give labels or numbers to sequences.
`sequence_classifier.py`, `sequence_regressor.py`, `sequence_labeler.py`, `text_classifier.py`, `video_classifier.py`,
`text_generator.py`, `translator.py`, `forecaster.py`, `anomaly_detector.py`: a class each.
`loading.py`: a model file becomes the estimator that wrote it.
"""
