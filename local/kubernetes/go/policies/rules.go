package main

import (
	"fmt"
	"net"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const table = "ecommerce-policies"

// What policies are about, as the API server has it.
type world struct {
	pods       []*core.Pod
	namespaces map[string]labels.Set
	policies   []*networking.NetworkPolicy
}

// A direction of traffic, as seen from the pod that a policy selects.
type direction struct {
	name  string
	kind  networking.PolicyType
	own   string // the nft field that holds the selected pod's address
	other string // and that of its peer
}

var directions = []direction{
	{"from", networking.PolicyTypeEgress, "ip saddr", "ip daddr"},
	{"to", networking.PolicyTypeIngress, "ip daddr", "ip saddr"},
}

// One rule of a policy, whichever its direction.
type rule struct {
	peers []networking.NetworkPolicyPeer
	ports []networking.NetworkPolicyPort
}

// ruleset answers the whole table: each pod that a policy selects has a chain that lets through what is allowed and
// drops the rest. It is dropped, not rejected, so that a client whose address is not known yet gets through by TCP's
// own second try. Only forwarded packets are looked at: what the node itself sends is always allowed, as probes must be.
func (w *world) ruleset() string {
	var text strings.Builder
	fmt.Fprintf(&text, "table ip %s\ndelete table ip %s\ntable ip %s {\n", table, table, table)
	jumps := []string{"type filter hook forward priority filter; policy accept;", "ct state established,related accept"}
	for _, direction := range directions {
		var verdicts []string
		for _, pod := range w.pods {
			if rules, isolated := w.rules(pod, direction.kind); isolated {
				chain := direction.name + "-" + pod.Status.PodIP
				verdicts = append(verdicts, fmt.Sprintf("%s : jump %s", pod.Status.PodIP, chain))
				writeChain(&text, chain, append(w.lines(pod, direction, rules), "drop"))
			}
		}
		if len(verdicts) > 0 {
			jumps = append(jumps, fmt.Sprintf("%s vmap { %s }", direction.own, strings.Join(verdicts, ", ")))
		}
	}
	writeChain(&text, "forward", jumps)
	text.WriteString("}\n")
	return text.String()
}

func writeChain(text *strings.Builder, name string, lines []string) {
	fmt.Fprintf(text, "\tchain %s {\n\t\t%s\n\t}\n", name, strings.Join(lines, "\n\t\t"))
}

// rules answers what is allowed to or from a pod, and whether any policy selects it for that direction at all.
func (w *world) rules(pod *core.Pod, kind networking.PolicyType) ([]rule, bool) {
	var found []rule
	isolated := false
	for _, policy := range w.policies {
		if policy.Namespace != pod.Namespace || !matches(&policy.Spec.PodSelector, pod.Labels) || !concerns(policy, kind) {
			continue
		}
		isolated = true
		if kind == networking.PolicyTypeIngress {
			for _, each := range policy.Spec.Ingress {
				found = append(found, rule{inNamespace(each.From, policy.Namespace), each.Ports})
			}
		} else {
			for _, each := range policy.Spec.Egress {
				found = append(found, rule{inNamespace(each.To, policy.Namespace), each.Ports})
			}
		}
	}
	return found, isolated
}

func concerns(policy *networking.NetworkPolicy, kind networking.PolicyType) bool {
	for _, each := range policy.Spec.PolicyTypes { // always set: the API server defaults it
		if each == kind {
			return true
		}
	}
	return false
}

// inNamespace makes explicit that a peer without a namespace selector is in the policy's own namespace.
func inNamespace(peers []networking.NetworkPolicyPeer, namespace string) []networking.NetworkPolicyPeer {
	own := &meta.LabelSelector{MatchLabels: map[string]string{core.LabelMetadataName: namespace}}
	explicit := make([]networking.NetworkPolicyPeer, len(peers))
	for at, peer := range peers {
		if peer.IPBlock == nil && peer.NamespaceSelector == nil {
			peer.NamespaceSelector = own
		}
		explicit[at] = peer
	}
	return explicit
}

func (w *world) lines(pod *core.Pod, direction direction, rules []rule) []string {
	var lines []string
	for _, rule := range rules {
		if len(rule.peers) == 0 {
			lines = append(lines, statements("", rule.ports, w.targets(pod, direction, nil))...)
			continue
		}
		for _, peer := range rule.peers {
			if peer.IPBlock != nil {
				lines = append(lines, statements(block(direction.other, peer.IPBlock), rule.ports, w.targets(pod, direction, nil))...)
				continue
			}
			lines = append(lines, w.toPods(pod, direction, peer, rule.ports)...)
		}
	}
	return lines
}

// toPods writes one line for each peer where a named port may mean another number on each of them.
func (w *world) toPods(pod *core.Pod, direction direction, peer networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) []string {
	peers := w.peers(peer)
	if direction.kind == networking.PolicyTypeEgress && named(ports) {
		var lines []string
		for _, each := range peers {
			lines = append(lines, statements(fmt.Sprintf("%s %s", direction.other, each.Status.PodIP), ports, each)...)
		}
		return lines
	}
	if len(peers) == 0 {
		return nil
	}
	addresses := make([]string, len(peers))
	for at, each := range peers {
		addresses[at] = each.Status.PodIP
	}
	return statements(fmt.Sprintf("%s { %s }", direction.other, strings.Join(addresses, ", ")), ports, w.targets(pod, direction, peers))
}

// targets answers the pod whose container ports give a named port its number, where it is one and the same.
func (w *world) targets(pod *core.Pod, direction direction, peers []*core.Pod) *core.Pod {
	if direction.kind == networking.PolicyTypeIngress {
		return pod
	}
	if len(peers) == 1 {
		return peers[0]
	}
	return nil
}

func (w *world) peers(peer networking.NetworkPolicyPeer) []*core.Pod {
	var found []*core.Pod
	for _, pod := range w.pods {
		if matches(peer.NamespaceSelector, w.namespaces[pod.Namespace]) && (peer.PodSelector == nil || matches(peer.PodSelector, pod.Labels)) {
			found = append(found, pod)
		}
	}
	return found
}

func matches(selector *meta.LabelSelector, set map[string]string) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set)) // the API server has validated it
}

func block(field string, wanted *networking.IPBlock) string {
	allowed := ipv4(wanted.CIDR)
	if allowed == "" {
		return field + " 255.255.255.255" // the node speaks IPv4 only: this matches nobody
	}
	text := fmt.Sprintf("%s %s", field, allowed)
	for _, each := range wanted.Except {
		if except := ipv4(each); except != "" {
			text += fmt.Sprintf(" %s != %s", field, except)
		}
	}
	return text
}

// ipv4 answers a range with the bits below its prefix cleared, or nothing where it is not one of IPv4.
func ipv4(cidr string) string {
	_, network, err := net.ParseCIDR(cidr)
	if err != nil || network.IP.To4() == nil {
		return ""
	}
	return network.String()
}

func named(ports []networking.NetworkPolicyPort) bool {
	for _, port := range ports {
		if port.Port != nil && port.Port.Type == intstr.String {
			return true
		}
	}
	return false
}

// statements answers one nft rule for each port, or one for all where none is named; `return` goes on to the next check.
func statements(peer string, ports []networking.NetworkPolicyPort, target *core.Pod) []string {
	if len(ports) == 0 {
		return []string{strings.TrimSpace(peer + " return")}
	}
	var lines []string
	for _, port := range ports {
		protocol := core.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		if match := portMatch(strings.ToLower(string(protocol)), port, target); match != "" {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s return", peer, match)))
		}
	}
	return lines
}

func portMatch(protocol string, port networking.NetworkPolicyPort, target *core.Pod) string {
	switch {
	case port.Port == nil:
		return "meta l4proto " + protocol
	case port.Port.Type == intstr.Int && port.EndPort != nil:
		return fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort)
	case port.Port.Type == intstr.Int:
		return fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal)
	}
	if target == nil {
		return ""
	}
	for _, container := range target.Spec.Containers {
		for _, each := range container.Ports {
			if each.Name == port.Port.StrVal && strings.EqualFold(string(each.Protocol), protocol) {
				return fmt.Sprintf("%s dport %d", protocol, each.ContainerPort)
			}
		}
	}
	return ""
}

// ordered puts everything into an order of its own, so that an unchanged world gives an unchanged text. Of two pods with
// one address only the younger has it: the API server still shows the other.
func (w *world) ordered() *world {
	key := func(object meta.Object) string { return object.GetNamespace() + "/" + object.GetName() }
	holders := map[string]*core.Pod{}
	for _, pod := range w.pods {
		other, taken := holders[pod.Status.PodIP]
		if !taken || other.CreationTimestamp.Before(&pod.CreationTimestamp) {
			holders[pod.Status.PodIP] = pod
		}
	}
	w.pods = nil
	for _, pod := range holders {
		w.pods = append(w.pods, pod)
	}
	sort.Slice(w.pods, func(a, b int) bool { return key(w.pods[a]) < key(w.pods[b]) })
	sort.Slice(w.policies, func(a, b int) bool { return key(w.policies[a]) < key(w.policies[b]) })
	return w
}
