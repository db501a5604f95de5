// NetworkPolicies for a single node: what the API server holds becomes one nftables table, replaced as a whole whenever
// it changes. It relies on pods being joined by routes, so that every packet between two of them is forwarded.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	together = 50 * time.Millisecond // changes that come in so short a time are written at once
	again    = time.Second           // after nft has failed
	deadline = 10 * time.Second      // for nft
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	health := flag.String("health", "127.0.0.1:8084", "where GET /healthz is answered once the rules are in place")
	flag.Parse()
	if err := run(*kubeconfig, *health); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig, health string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var inPlace atomic.Bool
	go answer(health, &inPlace)
	return follow(ctx, informers.NewSharedInformerFactory(client, 0), &inPlace)
}

func follow(ctx context.Context, factory informers.SharedInformerFactory, inPlace *atomic.Bool) error {
	changed := make(chan struct{}, 1)
	changed <- struct{}{}
	notice := func() {
		select {
		case changed <- struct{}{}:
		default: // it is known already that something has changed
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notice() },
		UpdateFunc: func(any, any) { notice() },
		DeleteFunc: func(any) { notice() },
	}
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	look := func() *world {
		known := world{namespaces: map[string]labels.Set{}}
		all := labels.Everything()
		known.policies, _ = policies.Lister().List(all) // from memory: it cannot fail
		running, _ := pods.Lister().List(all)
		for _, pod := range running {
			if hasOwnAddress(pod) {
				known.pods = append(known.pods, pod)
			}
		}
		spaces, _ := namespaces.Lister().List(all)
		for _, space := range spaces {
			known.namespaces[space.Name] = space.Labels
		}
		return known.ordered()
	}
	for written := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		time.Sleep(together)
		text := look().ruleset()
		if text == written {
			continue
		}
		if err := write(ctx, text); err != nil {
			log.Printf("the rules could not be written, next try in %s: %v", again, err)
			time.AfterFunc(again, notice)
			continue
		}
		written = text
		inPlace.Store(true)
	}
}

// hasOwnAddress tells whether packets can be told to be this pod's: an address is given on once a pod has ended.
func hasOwnAddress(pod *core.Pod) bool {
	ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
	return pod.Status.PodIP != "" && !strings.Contains(pod.Status.PodIP, ":") && !pod.Spec.HostNetwork && !ended
}

func write(ctx context.Context, text string) error {
	limited, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	command := exec.CommandContext(limited, "nft", "-f", "-")
	command.Stdin = strings.NewReader(text)
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, said.String())
	}
	return nil
}

func answer(address string, inPlace *atomic.Bool) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !inPlace.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
