"""`make up`: the platform on Kubernetes, from nothing to an address that answers GraphQL.

A cluster (kind where Docker is, otherwise the node of `local.kubernetes.node`, or any that a kubeconfig leads to), the
images in it, the CRD and the operator by helm, one EcommercePlatform; then it waits and tells what becomes ready.
Every step finds what an earlier run has done and goes on from there, so it may be interrupted and repeated.
"""
