"""Published networks of images, their weights, and their form as ONNX.

- `efficientnet_lite0`: EfficientNet-Lite0: small enough to look at every frame of a clip on a processor
- `googlenet`: GoogLeNet: the network of inception blocks, as torchvision publishes its weights
- `onnx_graph`: A published image network as an ONNX graph from frames to features, its batch normalisations folded
- `published_weights`: What published image networks share: their weights are read safely and by name
"""
