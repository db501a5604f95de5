// Volumes for a single node: a claim becomes a folder of this host, and a local PersistentVolume that leads to it.
//
// It works through the API server from outside the cluster, so that a claim needs no helper pod and no image. As on
// other local storage a volume's size is not enforced.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v10/controller"
)

const hostname = "kubernetes.io/hostname"

type folders struct {
	root string
}

func (f folders) Provision(_ context.Context, wish controller.ProvisionOptions) (*core.PersistentVolume, controller.ProvisioningState, error) {
	claim := wish.PVC
	for _, mode := range claim.Spec.AccessModes {
		if mode != core.ReadWriteOnce && mode != core.ReadWriteOncePod {
			return nil, controller.ProvisioningFinished, fmt.Errorf("a folder of one node cannot be %s: ask for ReadWriteOnce", mode)
		}
	}
	if wish.SelectedNode == nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("no node is chosen: the storage class must bind at the first consumer")
	}
	path := filepath.Join(f.root, fmt.Sprintf("%s_%s_%s", wish.PVName, claim.Namespace, claim.Name))
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	// Pods run as users that are unknown here; the umask must not keep them out.
	if err := os.Chmod(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: wish.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *wish.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: path}},
			NodeAffinity:                  only(wish.SelectedNode.Labels[hostname]),
		},
	}, controller.ProvisioningFinished, nil
}

func only(node string) *core.VolumeNodeAffinity {
	here := core.NodeSelectorRequirement{Key: hostname, Operator: core.NodeSelectorOpIn, Values: []string{node}}
	return &core.VolumeNodeAffinity{Required: &core.NodeSelector{
		NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{here}}},
	}}
}

func (f folders) Delete(_ context.Context, volume *core.PersistentVolume) error {
	local := volume.Spec.Local
	// A path from an object is never removed unless it is one that Provision made.
	if local == nil || filepath.Dir(filepath.Clean(local.Path)) != f.root {
		return &controller.IgnoredError{Reason: "it is no folder below " + f.root}
	}
	return os.RemoveAll(local.Path)
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	root := flag.String("root", "", "the folder of the volumes' folders")
	name := flag.String("provisioner", "", "the name that storage classes call it by")
	health := flag.String("health", "127.0.0.1:8082", "where GET /healthz is answered while it works")
	flag.Parse()
	if err := run(*kubeconfig, *root, *name, *health); err != nil {
		log.Fatal(err)
	}
}

func run(kubeconfig, root, name, health string) error {
	if !filepath.IsAbs(root) || name == "" {
		return fmt.Errorf("--root must be an absolute path, and --provisioner a name")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	provisioner := controller.NewProvisionController(
		klog.Background(), client, name, folders{filepath.Clean(root)},
		controller.LeaderElection(false),       // it is alone
		controller.FailedProvisionThreshold(0), // level-triggered: what failed is tried again, ever less often
		controller.FailedDeleteThreshold(0),
	)
	go answer(health, provisioner)
	provisioner.Run(ctx)
	return nil
}

func answer(address string, provisioner *controller.ProvisionController) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !provisioner.HasRun() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
