"""What speaks for echoes and against them: motion, brightness, the network, and oddities.

A clue is a plane or a number read from the frames; none of them knows an outline's shape.
"""
