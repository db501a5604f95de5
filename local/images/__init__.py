"""The platform's container images: built by whatever engine there is, tagged by what went into them.

`services/Dockerfile` is the recipe. `python -m local.images build` builds it for every service and the operator; where
no registry is reached (`--stand-ins`), what the recipe starts from and the datastores' images are made here, too.
"""

from local.images.building import Built, build, push

__all__ = ["Built", "build", "push"]
