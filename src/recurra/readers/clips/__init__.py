"""Clips and folders of images: found, decoded in a child process, brought to one shape.

- `clip_folders`: Folders and tables of clips become records
- `decodable`: Which clips of a data set cannot be decoded, found before anything is trained on them
- `frame_shape`: Frames that are arrays already become squares of the size a network reads
- `video`: Clips, and folders of images, become frames: decoded in a child process, within limits
- `video_child`: The process that decodes: a broken file may crash or exhaust it, and nothing else
"""
