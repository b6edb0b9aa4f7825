"""What users call: one estimator per task, each following scikit-learn's contract."""
