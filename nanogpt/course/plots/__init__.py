"""Pictures: each `plot_*` draws on Axes and returns them, each `describe_*` says in words what is to be seen.

One file a chapter, by its stem; `canvas` is what all draw on. Lines differ in dashes and bars in hatching as well
as in colour, and are named where they are drawn.
"""

from nanogpt.course.plots.canvas import show

__all__ = ["show"]
