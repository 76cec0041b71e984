"""The classroom: exercises made from solutions, in nbgrader's formats and by its own converters."""
