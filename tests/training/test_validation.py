import numpy as np
import pytest
import torch

from recurra.ragged import Ragged
from recurra.training.validation import outputs_in_order


@pytest.mark.parametrize("per_step", [False, True])
def test_outputs_come_in_the_order_of_the_examples(make_network, make_examples, per_step):
    examples = make_examples(n=30, per_step=per_step)
    network = make_network(per_step=per_step).eval()
    seen = []
    outputs = outputs_in_order(
        network,
        examples,
        batch_size=2,
        device=torch.device("cpu"),
        before_batch=lambda batch: seen.append(len(batch.indices)),
    )
    one_by_one = [network(Ragged(torch.from_numpy(x), [len(x)])) for x in examples.inputs]
    torch.testing.assert_close(outputs, torch.cat(one_by_one).detach())
    assert not outputs.requires_grad
    assert sum(seen) == 30
    assert max(seen) <= 8
    assert np.ptp(examples.lengths) > 3  # or the order would not matter
