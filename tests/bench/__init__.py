"""The benchmark: the whole platform as processes, loaded with data and driven over HTTP by wrk."""
