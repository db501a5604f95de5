"""The datastores' charts on this host: their scripts run as the processes that a container would run."""
