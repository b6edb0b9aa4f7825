"""`ImportedGraph`: an ONNX graph run operator by operator, its recurrences by recurra's layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import DataError, UsageError
from recurra.nn.imported.operators import OPERATORS
from recurra.nn.imported.recurrent_nodes import RecurrentNode

READ_BY_LAYERS = (0, 4, 5, 6)  # places of X, sequence_lens, initial_h and initial_c


@dataclass(frozen=True)
class Node:
    """One operator.

    Parameters
    ----------
    kind : str
        Its name in ONNX.
    name : str
        What messages call it.
    inputs, outputs : sequence of str
        Names of values; an empty one is left out.
    attributes : mapping
        Numbers, strings, lists and tensors; ``opset`` among them.
    layer : str, optional
        Of a recurrence: its name among the layers.
    branches : mapping of str to Body
        Of ``If``: ``then_branch`` and ``else_branch``.
    """

    kind: str
    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Any]
    layer: str | None = None
    branches: Mapping[str, "Body"] | None = None


@dataclass(frozen=True)
class Body:
    """Operators in the order in which they are computed, and what they give."""

    nodes: Sequence[Node]
    outputs: Sequence[str]
    constants: Mapping[str, str]  # name of a value -> name of the buffer that holds it


class ImportedGraph(nn.Module):
    """A network read from an ONNX file, in eval mode.

    Parameters
    ----------
    body : Body
    inputs : sequence of str
        Names of what it reads.
    layers : mapping of str to RecurrentNode
        Its recurrent layers, by the names its nodes have for them.
    constants : mapping of str to Tensor
        What its weights and constants are, by the names the bodies have for them.
    optional : sequence of str, default=()
        Names of what it reads where it is given, and has a value for where it is not.
    """

    def __init__(
        self,
        body: Body,
        inputs: Sequence[str],
        layers: Mapping[str, RecurrentNode],
        constants: Mapping[str, Tensor],
        optional: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.body, self.inputs, self.outputs = body, list(inputs), list(body.outputs)
        self.optional = list(optional)
        self.layers = nn.ModuleDict(layers)
        for name, tensor in constants.items():
            self.register_buffer(name, tensor)
        self.eval()

    def forward(self, *given: Tensor, **named: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name.

        Parameters
        ----------
        *given, **named : Tensor
            Inputs in the order of ``inputs``, or by name.

        Raises
        ------
        UsageError
            If an input is absent or unknown.
        DataError
            If an operator cannot be computed on what it is given.
        """
        values = dict(zip(self.inputs, given, strict=False)) | named
        known = {*self.inputs, *self.optional}
        if len(given) > len(self.inputs) or not set(self.inputs) <= set(values) <= known:
            may = f", and where they are given {', '.join(self.optional)}" if self.optional else ""
            raise UsageError(
                f"ImportedGraph: reads {', '.join(self.inputs)}{may}; got {', '.join(values) or 'nothing'}."
            )
        return dict(zip(self.outputs, self._run(self.body, values), strict=True))

    def _run(self, body: Body, values: dict[str, Tensor]) -> list[Tensor]:
        values = {name: getattr(self, buffer) for name, buffer in body.constants.items()} | values
        for node in body.nodes:
            try:
                found = self._node(node, values)
            except DataError:
                raise
            except (RuntimeError, IndexError, TypeError, ValueError, KeyError, AttributeError) as error:
                reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
                raise DataError(
                    f"ImportedGraph: {node.kind} {node.name!r} cannot be computed: {reason}."
                ) from None
            values.update({name: tensor for name, tensor in zip(node.outputs, found, strict=False) if name})
        return [values[name] for name in body.outputs]

    def _node(self, node: Node, values: dict[str, Tensor]) -> Sequence[Tensor]:
        # What a layer holds already stands at places 1 to 3, of an LSTM at 7.
        read = range(len(node.inputs)) if node.layer is None else READ_BY_LAYERS
        given = [
            values[node.inputs[at]] if at < len(node.inputs) and node.inputs[at] else None for at in read
        ]
        if node.branches is not None:
            condition = given[0]
            assert condition is not None
            return self._run(
                node.branches["then_branch" if bool(condition.item()) else "else_branch"], values
            )
        if node.layer is not None:
            x, lengths, h_0, c_0 = given
            found: list[Tensor] = self.layers[node.layer](
                x, None if lengths is None else lengths.long(), h_0, c_0
            )
            return found
        answer = OPERATORS[node.kind](node.attributes, *given)
        return answer if isinstance(answer, list) else [answer]

    def extra_repr(self) -> str:
        """Return what stands in the representation beside the layers."""
        return f"inputs={self.inputs}, outputs={self.outputs}, operators={len(self.body.nodes)}"


def evaluated(kind: str, attributes: Mapping[str, Any], given: Sequence[Tensor | None]) -> Tensor:
    """Return what an operator gives for constants; see `recurra.nn.imported.operators`."""
    with torch.no_grad():
        found = OPERATORS[kind](attributes, *given)
    return found[0] if isinstance(found, list) else found
