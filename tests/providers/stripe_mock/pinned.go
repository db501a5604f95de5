//go:build pinned

// Package pinned keeps stripe-mock in go.mod, as the only thing that this module is for.
package pinned

import _ "github.com/stripe/stripe-mock"
