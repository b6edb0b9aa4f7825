"""Which inputs speak for an answer, and what happens inside of a network.

- `attention_map`: `AttentionMap`, where a translator looked while it wrote an answer, as a picture and in words
- `explanation`: `Explanation`, how much each part of an input spoke for an answer; one type for every kind of data
- `gradient_flow`: `GradientFlow`, do gradients vanish or explode on their way back through time, and where
- `gradients`: Saliency by gradients of a torch network
- `integrated_gradients`: Integrated gradients: along the way from nothing to the input
- `occlusion`: Occlusion: how much lower is the output without this stretch of this channel?
- `step_jacobians`: How one time step carries a small change of the state on: the step Jacobians of the cells
- `traces`: `Trace`, every gate and state of a network while it reads one sequence, from the kernels themselves
"""
