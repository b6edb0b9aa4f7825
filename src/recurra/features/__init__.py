"""A record becomes numbers of shape (time, input_size): scaling, missing values. No trainable weights."""
