//go:build pinned

// Package main's imports of programs that are built by their own path: they keep them in go.mod through `go mod tidy`.
package main

import (
	_ "github.com/projectcontour/contour/cmd/contour"
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
	_ "helm.sh/helm/v3/cmd/helm"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
