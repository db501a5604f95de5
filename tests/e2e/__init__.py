"""The platform on a real cluster: installed by its operator, used through the ingress, and broken on purpose."""
