"""Frames of clips become features, by an image network, kept on disk.

- `cache`: Features of frames kept on disk, found again by the content of the clip and the network that made them
- `clip_features`: Clips become features: frames through an image network, a clip at a time, kept on disk
- `map_means`: Maps of an image network averaged over places of the frame, each frame the same bits in any company
- `onnx_network`: An image network in an ONNX file, run by onnxruntime on frames
"""
