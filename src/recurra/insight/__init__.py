"""What can be asked of a fitted estimator beside its answers.

- `evaluating/`: a fitted model on labelled data becomes an evaluation.
- `explanations/`: explanations, traces and gradients of a fitted estimator.
"""
