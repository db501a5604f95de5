"""What the evaluation is made of, on data that can be counted by hand."""
