"""The evaluation: how good the service's recommendations are, on a data set whose published marks are known."""
