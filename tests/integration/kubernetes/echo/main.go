// Echo is the tests' own container: it serves its pod's name, fetches a page, and keeps a count in a file.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "get" {
		get(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "resolve" {
		addresses, err := net.LookupHost(os.Args[2])
		check(err)
		fmt.Println(strings.Join(addresses, " "))
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "lines" {
		content, err := os.ReadFile(os.Args[2])
		check(err)
		fmt.Println(strings.Count(string(content), "\n"))
		return
	}
	serve()
}

func serve() {
	name, err := os.Hostname()
	check(err)
	if folder := os.Getenv("FOLDER"); folder != "" {
		note(folder+"/starts", name)
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, name) })
	server := &http.Server{Addr: ":8080"}
	stopped, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	go func() {
		<-stopped.Done()
		server.Shutdown(context.Background())
	}()
	fmt.Println("serving as", name)
	server.ListenAndServe()
}

func note(path, line string) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(err)
	defer file.Close()
	_, err = fmt.Fprintln(file, line)
	check(err)
}

// get tries for a while: a new Service needs a moment until the node's rules know it.
func get(address string) {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(address)
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		answer, err = client.Get(address)
	}
	check(err)
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
