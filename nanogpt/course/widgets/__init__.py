"""What can be touched: each widget is a function of a model or a run folder, in a file of its own."""
