"""What can be asked of a fitted estimator beside its answers.

- `absent_methods`: what to call where an estimator has no method of a name.
- `evaluating/`: a fitted model on labelled data becomes an evaluation.
- `explanations/`: explanations, traces and gradients of a fitted estimator.
"""
