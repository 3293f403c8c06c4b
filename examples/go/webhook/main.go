// Receives signed events and prints them: OVSEG_WEBHOOK_SECRET=whsec_... go run ./webhook 9000
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxBytes = 4_000_000

var (
	secret []byte
	seen   sync.Map // in production a table: an event may come again after a restart, too
)

func main() {
	var err error
	text := strings.TrimPrefix(os.Getenv("OVSEG_WEBHOOK_SECRET"), "whsec_")
	secret, err = base64.StdEncoding.DecodeString(text)
	if err != nil || len(secret) == 0 {
		log.Fatal("OVSEG_WEBHOOK_SECRET is not a secret")
	}
	server := http.Server{
		Addr:        ":" + os.Args[1],
		Handler:     http.HandlerFunc(receive),
		ReadTimeout: 15 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

func receive(answer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, maxBytes))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	if !isGenuine(request.Header, body) {
		answer.WriteHeader(http.StatusUnauthorized)
		return
	}
	var event struct {
		Type string
		Data struct{ ID, Status string }
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	if _, known := seen.LoadOrStore(request.Header.Get("webhook-id"), true); !known {
		fmt.Println(event.Type, event.Data.ID, event.Data.Status)
	}
	answer.WriteHeader(http.StatusNoContent) // only now: an event without a 2xx comes again
}

func isGenuine(header http.Header, body []byte) bool {
	id, sent := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if err != nil || math.Abs(time.Since(time.Unix(seconds, 0)).Seconds()) > 300 {
		return false // an old delivery may be a stolen one
	}
	signer := hmac.New(sha256.New, secret)
	fmt.Fprintf(signer, "%s.%s.%s", id, sent, body)
	expected := "v1," + base64.StdEncoding.EncodeToString(signer.Sum(nil))
	for _, signature := range strings.Split(header.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(signature), []byte(expected)) {
			return true
		}
	}
	return false
}
