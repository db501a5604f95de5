"""A real Kubernetes cluster on this host where there is no container engine.

`tools` builds the upstream programs once; `control_plane` runs an API server alone, for tests; `node` runs a whole
single-node cluster in namespaces of its own; `addons` says what runs beside it: DNS, ingress, volumes.
"""
